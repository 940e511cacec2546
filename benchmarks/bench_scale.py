"""Time and measure the whole command from a hundred thousand rows to ten million, in little memory.

Run it with ``make bench-scale``. Rows come from ``planted.py``, so that what has to go is known.
With ``--page`` the figures are written to ``docs/scale-benchmark.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import sysconfig
from pathlib import Path
from typing import Any

import planted
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scale_chart
from bench_dedup import processor
from watch import Run, watched

import mithril
from mithril.sizes import bytes_of

MITHRIL = Path(sysconfig.get_path("scripts")) / "mithril"
FOLDER = Path("target/bench-scale")
PAGE = Path("docs/scale-benchmark.md")
CHART = PAGE.with_suffix(".svg")
SIZES = (100_000, 1_000_000, 10_000_000)
MEMORY = "2GiB"
LITTLE = "256MiB"
REPETITIONS = 3
SAMPLE = 2000
HAVE_TO_GO = ("copy", "word more", "words less")
HAVE_TO_STAY = ("own", "two sentences others")


def dedup(source: Path, output: Path, memory: str) -> Run:
    """Deduplicate a folder by the command."""
    command: list[str | Path] = [MITHRIL, "dedup", source, "--output", output, "--id-column", "id"]
    return watched([*command, "--memory", memory, "--overwrite", "--quiet"])


def check(source: Path, output: Path) -> tuple[float, int, int]:
    """Compare what went with what has to go.

    Returns:
        The share that went of what has to go, how many went that have to stay, and how many of a
        sample of pairs have a similarity below the threshold when their texts are compared here.
    """
    rows = pq.read_table(source, columns=["id", "kind"])
    gone = pq.read_table(output / "duplicates.parquet", columns=["id", "kept_id"])
    kinds = rows["kind"].to_numpy()
    ids = gone["id"].to_numpy()
    went = [int((kinds[ids] == kind).sum()) for kind in range(len(planted.KINDS))]
    there = [int((kinds == kind).sum()) for kind in range(len(planted.KINDS))]
    number = {name: at for at, name in enumerate(planted.KINDS)}
    wanted_rows = sum(there[number[name]] for name in HAVE_TO_GO)
    share = sum(went[number[name]] for name in HAVE_TO_GO) / wanted_rows
    wrong = sum(went[number[name]] for name in HAVE_TO_STAY)
    pairs = random.Random(1).sample(gone.to_pylist(), min(SAMPLE, len(gone)))  # noqa: S311
    wanted = {row for pair in pairs for row in pair.values()}
    texts = texts_of(source, wanted)
    below = sum(jaccard(texts[pair["id"]], texts[pair["kept_id"]]) < 0.8 for pair in pairs)
    return share, wrong, below


def texts_of(source: Path, wanted: set[int]) -> dict[int, str]:
    """Read the texts of some rows."""
    found: dict[int, str] = {}
    for path in sorted(source.glob("*.parquet")):
        for group in range(pq.ParquetFile(path).num_row_groups):
            rows = pq.ParquetFile(path).read_row_group(group, columns=["id", "text"])
            chosen = rows.filter(pc.is_in(rows["id"], value_set=pc.cast(sorted(wanted), "int64")))
            found.update(zip(*(chosen[name].to_pylist() for name in ("id", "text")), strict=True))
    return found


def jaccard(one: str, other: str) -> float:
    """Compare the sets of shingles, of five words between white space."""
    first, second = (
        set(zip(*(words[at:] for at in range(5)), strict=False))
        for words in (one.lower().split(), other.lower().split())
    )
    return len(first & second) / len(first | second)


def local(sizes: list[int], repetitions: int) -> list[dict[str, Any]]:
    """Measure runs of so many rows, from disk to disk, alternating between the sizes."""
    sources = {rows: planted.write(FOLDER, rows) for rows in sizes}
    runs: dict[int, list[Run]] = {rows: [] for rows in sizes}
    for _ in range(repetitions):
        for rows in sizes:
            runs[rows].append(dedup(sources[rows], FOLDER / f"out-{rows}", MEMORY))
    measured = []
    for rows in sizes:
        output = FOLDER / f"out-{rows}"
        report = json.loads((output / "report.json").read_text())
        share, wrong, below = check(sources[rows], output)
        bands = report["banding"]["bands"] * 8 * rows
        spooled = report["files"]["spooled_bytes"]
        plan = mithril.plan_files(sources[rows], id_column="id", memory=MEMORY)
        measured.append(
            {
                "rows": rows,
                "plan": plan,
                "seconds": sorted(run.seconds for run in runs[rows])[len(runs[rows]) // 2],
                "peak": max(run.peak for run in runs[rows]),
                "temporary": spooled + (bands if spooled else 0),
                "output": report["files"]["output_bytes"],
                "text": report["bytes"],
                "removed": report["removed"],
                "recall": share,
                "wrong": wrong,
                "below": below,
                "sampled": min(SAMPLE, report["removed"]),
            }
        )
    return measured


def in_little(rows: int) -> Run:
    """Measure a run in as little memory as is reasonable."""
    output = FOLDER / "out-little"
    run = dedup(planted.write(FOLDER, rows), output, LITTLE)
    one, other = (FOLDER / f"out-{rows}" / "duplicates.parquet", output / "duplicates.parquet")
    if one.read_bytes() != other.read_bytes():
        sys.exit(f"in {LITTLE} other rows were removed")
    return run


def table(measured: list[dict[str, Any]]) -> str:
    """Lay the runs out as a table."""
    lines = [
        (
            "| rows | text | seconds | µs a row | peak memory | temporary bytes | removed | "
            "of those that have to go | of those that have to stay | pairs below 0.8 |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in measured:
        each = one["seconds"] / one["rows"] * 1e6
        lines.append(
            f"| {one['rows']:,} | {one['text'] / 1e9:.2f} GB | {one['seconds']:.2f} | {each:.2f} | "
            f"{one['peak'] / 1e6:,.0f} MB | {one['temporary'] / 1e9:.2f} GB | {one['removed']:,} | "
            f"{one['recall']:.2%} | {one['wrong']} | {one['below']} of {one['sampled']:,} |"
        )
    return "\n".join(lines)


def plans(measured: list[dict[str, Any]]) -> str:
    """Lay what was expected out as a table, beside what happened."""
    lines = [
        "| rows | seconds | peak memory | temporary bytes | output |",
        "|---|---|---|---|---|",
    ]
    for one in measured:
        plan = one["plan"]
        lines.append(
            f"| {one['rows']:,} | {plan.seconds:.2f} ({plan.seconds / one['seconds']:.2f}) | "
            f"{plan.memory / 1e6:,.0f} MB ({plan.memory / one['peak']:.2f}) | "
            f"{plan.temporary_bytes / 1e9:.2f} GB "
            f"({plan.temporary_bytes / one['temporary'] if one['temporary'] else 1:.2f}) | "
            f"{plan.output_bytes / 1e6:,.0f} MB ({plan.output_bytes / one['output']:.2f}) |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, to try it")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE}")
    arguments = parser.parse_args()
    sizes = [20_000, 50_000, 100_000] if arguments.quick else list(SIZES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    measured = local(sizes, 1 if arguments.quick else REPETITIONS)
    little = in_little(sizes[1])
    first, second, third = (one["seconds"] / one["rows"] for one in measured)
    text = [table(measured), ""]
    text += [
        f"A row of {sizes[2]:,} takes {third / second:.2f} times what one of {sizes[1]:,} takes,",
        f"and {third / first:.2f} times what one of {sizes[0]:,} takes. With `--memory {LITTLE}`,",
        f"{sizes[1]:,} rows take {little.seconds:.2f} seconds and {little.peak / 1e6:,.0f} MB.",
        "",
        "What `mithril dedup --plan` had said, and how many times what happened that is:",
        "",
        plans(measured),
    ]
    print("\n".join(text))
    if arguments.page:
        scale_chart.draw(measured, CHART)
        text += ["", f"![Time, memory and temporary bytes by rows]({CHART.name})"]
        PAGE.write_text(head() + "\n".join(text) + "\n", encoding="utf-8")


def head() -> str:
    """Say what was measured, and on what."""
    return f"""# Ten million rows in little memory

What `make bench-scale` measures: the command `mithril dedup`, Parquet to Parquet, with
`--memory {MEMORY}` ({bytes_of(MEMORY):,} bytes), on rows of about 380 bytes each. They are made of
real sentences by `benchmarks/planted.py`, which plants copies, rows with a word more or two words
less, which have to go, and rows of which two of six sentences are others, which have to stay.
"Pairs below 0.8" are those of a sample of removed rows whose similarity to the row kept, counted
by the benchmark on words between white space, is below the threshold.

Seconds are medians of {REPETITIONS} runs. Peak memory is what the
system calls `VmHWM`, mapped files included. Temporary bytes are texts and band hashes. Measured
with Mithril {mithril.__version__} and Python {platform.python_version()} on
{machine()}.

"""


def machine() -> str:
    """Say what it is measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{os.cpu_count()} cores and {memory / 2**30:.0f} GiB of memory ({processor()})"


if __name__ == "__main__":
    main()
