"""Run the notebooks of this folder from their top to their end.

Run it with ``make test-notebooks``; ``make notebooks`` writes what they show into them. Give paths
of notebooks to run these alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 300
MOST_BYTES = 300_000
# What is of this machine, and has no place in what is committed.
PLACES = [str(Path.home()), str(HERE.parent), sysconfig.get_path("stdlib"), tempfile.gettempdir()]


def main() -> None:
    """Run the notebooks, and write their outputs if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the outputs into the notebooks")
    parser.add_argument("paths", nargs="*", type=Path, default=sorted(HERE.glob("*.ipynb")))
    options = parser.parse_args()
    faults = []
    for path in options.paths:
        notebook = nbformat.read(path, as_version=4)
        if not options.write:
            faults += [f"{path.name}: {fault}" for fault in faults_of(notebook)]
        run(notebook)
        faults += [f"{path.name}, run now: {fault}" for fault in faults_of(notebook)]
        if options.write:
            write(notebook, path)
        if path.stat().st_size > MOST_BYTES:
            faults.append(f"{path.name} has more than {MOST_BYTES:,} bytes")
        print(f"{path.name}: {len(code_cells(notebook))} cells run", flush=True)
    if faults:
        sys.exit("\n".join(faults))


def run(notebook: Any) -> None:  # noqa: ANN401 - nbformat has no types
    """Run a notebook in an empty folder; what a cell raises is raised here."""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            # It warns that it listens on the loopback interface.
            extra_arguments=["--log-level=40"],
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute()


def write(notebook: Any, path: Path) -> None:  # noqa: ANN401
    """Write a notebook without what differs from one machine to another."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02}"
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            # Whoever shows a notebook shows the table; the text would double every change.
            if "text/html" in output.get("data", {}):
                output.data.pop("text/plain", None)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def code_cells(notebook: Any) -> list[Any]:  # noqa: ANN401
    """Return the cells that are run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def faults_of(notebook: Any) -> list[str]:  # noqa: ANN401
    """Return what should not be in a notebook that is committed."""
    cells = code_cells(notebook)
    faults = [f"cell {cell.id} has not been run" for cell in cells if cell.execution_count is None]
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                faults.append(f"cell {cell.id} has an output of errors")
            text = re.sub(r'"image/png": "[^"]*"', "", nbformat.v4.writes(_alone(output)))
            faults += [f"cell {cell.id} names {place}" for place in PLACES if f"{place}/" in text]
    return faults


def _alone(output: Any) -> Any:  # noqa: ANN401
    cell = nbformat.v4.new_code_cell(outputs=[output])
    return nbformat.v4.new_notebook(cells=[cell])


if __name__ == "__main__":
    main()
