"""Install what is to be released into empty environments, and try it as a stranger would.

Run it with ``make test-wheel``, or ``python tests_wheel/check.py FOLDER`` for the wheels and source
archives of a folder. It needs nothing but Python, and for source archives a Rust toolchain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

MOST_BYTES = 20_000_000
OPTIONAL = (
    "datasets",
    "fsspec",
    "matplotlib",
    "ml_dtypes",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
    "ray",
    "torch",
    "tqdm",
)
"""What `import mithril` must not bring in; numpy only when it is used."""

TRIAL = """
import json, sys
import mithril

brought = sorted(set(sys.modules) & set(json.loads(sys.argv[1])))
assert not brought, f"import mithril brings in {brought}"
result = mithril.deduplicate(["one text", "another", "One text!"])
assert result.keep.tolist() == [True, True, False], result.keep
report = mithril.dedup_files("rows.jsonl", "from-python")
assert (report.documents, report.removed) == (3, 1), report
store = mithril.open_store("memory://")
compressor = mithril.AdaptiveCompressor()
store.put("key", compressor.compress(b"bytes" * 100))
assert compressor.decompress(store.get("key")) == b"bytes" * 100
print(mithril.__version__)
"""


def main() -> None:
    """Try every wheel and source archive of a folder."""
    folder = Path(sys.argv[1])
    wheels, sources = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if not wheels and not sources:
        sys.exit(f"no wheel and no source archive in {folder}")
    for wheel in wheels:
        check_wheel(wheel)
        install(wheel)
    for source in sources:
        check_source(source)
        install(source)


def check_wheel(wheel: Path) -> None:
    """Check the tags, the size and what has to be within."""
    *_, python, abi, platform = wheel.stem.split("-")
    expect((python, abi) == ("cp311", "abi3"), f"{wheel.name} is not for every Python from 3.11 on")
    if sys.platform == "linux":
        expect(platform.startswith("manylinux"), f"{wheel.name} is not for every Linux")
    size = wheel.stat().st_size
    expect(size < MOST_BYTES, f"{wheel.name} has {size:,} bytes")
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("mithril/py.typed", "mithril/_native.pyi", "LICENSE-MIT", "LICENSE-APACHE"):
        expect(any(name.endswith(wanted) for name in names), f"{wheel.name} has no {wanted}")
    print(f"{wheel.name}: {size / 1e6:.1f} MB, {len(names)} files")


def check_source(source: Path) -> None:
    """Check the size and what has to be within."""
    with tarfile.open(source) as archive:
        names = archive.getnames()
    for wanted in ("Cargo.lock", "pyproject.toml", "LICENSE-MIT", "mithril/py.typed"):
        expect(any(name.endswith(wanted) for name in names), f"{source.name} has no {wanted}")
    print(f"{source.name}: {source.stat().st_size / 1e6:.1f} MB, {len(names)} files")


def install(package: Path) -> None:
    """Install a package into an empty environment, away from the checkout, and use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        python = programs / "python"
        run([python, "-m", "pip", "install", "--quiet", package.resolve()], folder)
        rows = ["one text", "another", "One text!"]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in rows)
        (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
        run([python, "-c", TRIAL, json.dumps(OPTIONAL)], folder)
        run([programs / "mithril", "dedup", "rows.jsonl", "--output", "clean", "--quiet"], folder)
        report = json.loads((folder / "clean" / "report.json").read_text(encoding="utf-8"))
        expect(report["removed"] == 1, f"{package.name} removed {report['removed']} rows")
    print(f"{package.name}: installed and used")


def run(command: list[str | Path], folder: Path) -> None:
    """Run a command to its end."""
    done = subprocess.run(command, cwd=folder, check=False)
    expect(done.returncode == 0, f"{command[0]} failed with {done.returncode}")


def expect(is_so: bool, otherwise: str) -> None:
    """End with an error unless something is so."""
    if not is_so:
        sys.exit(f"error: {otherwise}")


if __name__ == "__main__":
    main()
