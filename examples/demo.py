"""Deduplicate the source and text files of the crates that the build has downloaded.

Run it with ``make demo``. It leaves the clean Parquet, the table of duplicates and the report in
``demo-output/``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import mithril

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo-output"
TEXT = {".md", ".rs", ".toml", ".txt", ".c", ".h", ".py"}
EXAMPLES = 4


def main() -> None:
    """Collect the files, remove near-duplicates and show what was found."""
    files = source_files()
    print(f"{len(files):,} source and text files of the crates that this project is built from\n")
    report = mithril.dedup_files(files, OUTPUT, overwrite=True, progress=sys.stderr.isatty())
    print(report)

    duplicates = pq.read_table(OUTPUT / "duplicates.parquet").to_pylist()
    near = [row for row in duplicates if not row["exact_copy"]]
    near.sort(key=lambda row: (-row["jaccard"], row["file"]))
    step = max(1, len(near) // EXAMPLES)
    print(f"\nSome of the {len(near):,} near-duplicates, with the first lines that differ:")
    for row in near[::step][:EXAMPLES]:
        show(row)
    print(f"\nThe clean Parquet, duplicates.parquet and report.json are in {OUTPUT.name}/")


def source_files() -> list[Path]:
    """Return the text files of the crates in Cargo.lock, as far as they were downloaded."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    triple = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = triple.partition("host: ")[2].split()[0]
    metadata = json.loads(
        subprocess.run(
            [*command, "--filter-platform", host], cwd=ROOT, check=True, capture_output=True
        ).stdout
    )
    crates = [Path(one["manifest_path"]).parent for one in metadata["packages"] if one["source"]]
    files = (path for crate in crates for path in sorted(crate.rglob("*")))
    return [path for path in files if path.is_file() and is_source(path)]


def is_source(path: Path) -> bool:
    """Whether a file is text that a person wrote: known by its name, and valid UTF-8."""
    if path.suffix not in TEXT and not path.name.startswith(("LICENSE", "COPYING", "README")):
        return False
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def show(row: dict[str, Any]) -> None:
    """Print one removed file beside the one that is kept for it."""
    removed, kept = Path(row["file"]), Path(row["kept_file"])
    print(f"\n  {short(removed)}\n  is {row['jaccard']:.1%} like\n  {short(kept)}")
    before = kept.read_text(encoding="utf-8").splitlines()
    after = removed.read_text(encoding="utf-8").splitlines()
    changes = [line for line in unified_diff(before, after, n=0, lineterm="") if line[0] in "+-"]
    for line in changes[2:8]:
        print(f"    {line[:96]}")


def short(path: Path) -> str:
    """Return the path from the crate's folder on."""
    crate = next(folder for folder in path.parents if (folder / "Cargo.toml").exists())
    while (crate.parent / "Cargo.toml").exists():
        crate = crate.parent
    return str(path.relative_to(crate.parent))


if __name__ == "__main__":
    main()
