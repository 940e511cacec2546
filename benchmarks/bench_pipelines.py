"""Time whole commands on a million rows: Mithril, datatrove's four stages, gaoya in bulk.

Run it with ``make bench-pipelines``. Rows come from ``planted.py``, so that what has to go is
known. With ``--page`` the figures are written to ``docs/pipelines-benchmark.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import planted
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bench_scale import FOLDER, LITTLE, MITHRIL, machine
from peers import BANDS, PERMUTATIONS
from watch import Run, watched

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

PAGE = Path("docs/pipelines-benchmark.md")
ROWS = 1_000_000
QUICK = 20_000
REPETITIONS = 3
FOUND = {
    "above 0.9": ("copy", "word more", "words less"),
    "about 0.85": ("fourth word other",),
    "about 0.5": ("two sentences others",),
}
"""The kinds of planted pairs, by their similarity."""
VERSION = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"


@dataclass
class Pipeline:
    """A package, and the command that has it deduplicate a folder."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    """What it writes into."""
    files: str
    """Which of its files have the rows that stay."""
    repetitions: int = REPETITIONS
    runs: list[Run] = field(default_factory=list)

    def run(self) -> None:
        """Run it into an empty folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.runs.append(watched(self.command, with_children=True))

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    def stayed(self, count: int) -> npt.NDArray[np.bool_]:
        """Return for each row whether it stayed; shape (count,)."""
        table = pq.read_table(sorted(self.folder.glob(self.files)))
        if "metadata" in table.column_names:
            # Where datatrove puts all columns but text and id.
            ids = pc.struct_field(table["metadata"].combine_chunks(), "id")
        else:
            ids = table["id"]
        stayed = np.zeros(count, bool)
        stayed[ids.to_numpy()] = True
        return stayed


def version(python: str | Path, name: str) -> str:
    """Return the version of a package that a Python has."""
    command = [python, "-c", VERSION, name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def pipelines(source: Path, output: Path, datatrove: Path) -> Iterator[Pipeline]:
    """Yield all of them; `datatrove` is a Python that has it."""
    here, own = Path(__file__).parent, f"Mithril {mithril.__version__}"
    for name, more in ((own, []), (f"{own}, `--memory {LITTLE}`", ["--memory", LITTLE])):
        folder = output / ("mithril-little" if more else "mithril")
        command: list[str | Path] = [
            MITHRIL,
            "dedup",
            source,
            "--output",
            folder,
            "--id-column",
            "id",
            "--quiet",
        ]
        yield Pipeline(name, [*command, *more], folder, "part-*.parquet")
    folder = output / "gaoya"
    command = [sys.executable, here / "gaoya_command.py", source, folder / "rows.parquet"]
    name = f"gaoya {version(sys.executable, 'gaoya')}, in bulk"
    yield Pipeline(name, command, folder, "rows.parquet")
    folder = output / "datatrove"
    command = [datatrove, here / "datatrove_command.py", source, folder, str(os.cpu_count())]
    name = f"datatrove {version(datatrove, 'datatrove')}"
    yield Pipeline(name, command, folder, "rows/*.parquet", repetitions=1)


def row_of(pipeline: Pipeline, ours: Pipeline, source: Path, count: int) -> str:
    """Lay out what a pipeline took and did."""
    stayed = pipeline.stayed(count)
    table = pq.read_table(source, columns=["kind", "source"])
    kinds, sources = (table[name].to_numpy() for name in ("kind", "source"))
    # Which one of a pair goes is a package's own choice.
    is_split = ~(stayed & stayed[sources])
    cells = [
        f"{pipeline.seconds:.1f}",
        f"{pipeline.seconds / ours.seconds:.1f}",
        f"{max(run.tree for run in pipeline.runs) / 1e6:,.0f} MB",
        f"{count - stayed.sum():,}",
    ]
    for names in FOUND.values():
        pairs = np.isin(kinds, [planted.KINDS.index(name) for name in names])
        cells.append(f"{is_split[pairs].mean():.2%} of {pairs.sum():,}")
    return f"| {pipeline.name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, and write the page if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows, to try it")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE}")
    parser.add_argument("--datatrove", type=Path, metavar="PYTHON", required=True)
    arguments = parser.parse_args()
    count = QUICK if arguments.quick else ROWS
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = planted.write(FOLDER, count, planted.NEARER_SHARES)
    racing = list(pipelines(source, FOLDER / "pipelines", arguments.datatrove))
    for repetition in range(REPETITIONS):
        for pipeline in racing:
            if repetition < pipeline.repetitions:
                pipeline.run()
    columns = ["", "seconds", "of Mithril's", "peak memory", "rows removed", *FOUND]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [row_of(pipeline, racing[0], source, count) for pipeline in racing]
    text = head(count) + "\n".join(lines) + "\n"
    print(text)
    if arguments.page:
        PAGE.write_text(text, encoding="utf-8")


def head(count: int) -> str:
    """Say what was measured, and on what."""
    return f"""# A million rows beside other pipelines

What `make bench-pipelines` measures: whole commands, from Parquet files to Parquet files, on
{count:,} rows of about 380 bytes, made of real sentences by `benchmarks/planted.py`. It plants
pairs of rows with a Jaccard similarity above 0.9 (copies, rows with a word more or two words less),
of about 0.85 (rows of {planted.MANY_WORDS} words or more of which the fourth is another) and
of about 0.5 (rows of which two of six sentences are others). Of the first two kinds one row has to
go, at a threshold of 0.8, and of the last none. The columns say of how many pairs one went.

- *Mithril*: `mithril dedup` as it is: threshold 0.8, recall 0.99, every removal verified.
- *gaoya*: its index in bulk, with all its threads, {BANDS} bands of {PERMUTATIONS // BANDS} values;
  texts are read and written with pyarrow. It estimates similarities from signatures.
- *datatrove*: its four stages with the local executor and a worker for each core; its defaults, 14
  buckets of 8, but hashes of 64 bits and a blank tokenizer of spaCy. It verifies nothing.

Seconds are medians of {REPETITIONS} runs, of datatrove one. Peak memory is that of all processes of
a command together, looked at ten times a second; what several of them share counts once (PSS).
Measured with Python {platform.python_version()} on
{machine()}.

"""


if __name__ == "__main__":
    main()
