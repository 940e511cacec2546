"""What bench_codecs.py measured, in Markdown."""

from __future__ import annotations

import datetime as dt
import os
import platform
import statistics
from dataclasses import dataclass
from itertools import groupby

from bench_dedup import processor
from codecs_contenders import COLUMN_ROWS, versions

OURS = "mithril"
HEADINGS = {
    "hashes": "Hashes of one large buffer",
    "codecs": "Text in one large buffer",
    "columns": f"A column of {COLUMN_ROWS:,} short strings",
    "arrays": "Weights of a network",
}
REMARKS = {
    "hashes": "Random bytes. BLAKE3 runs on all cores in both packages, the others on one.",
    "codecs": (
        "The sources of Python's standard library. No package writes a checksum. Level 3 of zstd, "
        "and the fast method of LZ4."
    ),
    "columns": (
        "Strings of 8 to 62 characters, once as a column of pyarrow and once as a list; the other "
        "packages are called in a loop over the list. Mithril uses all cores."
    ),
    "arrays": (
        "Normally distributed, with a scale of its own for each layer of 1 Mi elements. Mithril "
        "and blosc2 use all cores, ZipNN as many as it chooses. ZipNN works in its input, so it "
        "gets a copy each time. It is called with bytes, and runs here without torch."
    ),
}


@dataclass(frozen=True)
class Measured:
    """The runs of one package at one piece of work."""

    part: str
    case: str
    work: int
    goal: float
    contender: str
    seconds: list[float]
    size: int | None

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def account(measured: list[Measured], *, quick: bool) -> str:
    """Return all tables, under what they were measured on."""
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    lines = [
        "# Hashing and compression beside other packages",
        "",
        "`make bench-codecs` writes this page.",
        "",
        (
            f"- {today}, {processor()}, {os.cpu_count()} cores, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}; load of the machine at the "
            f"end: {loads}"
        ),
        f"- {', '.join(f'{name} {version}' for name, version in versions().items())}",
        (
            "- A cell is the median of the repetitions, in brackets the fastest. All packages ran "
            "in turns in one process. The ratio is how many times as fast as the package Mithril "
            "is, by the medians and in brackets by the fastest."
        ),
    ]
    if os.getloadavg()[2] > 2 * (os.cpu_count() or 1):
        lines.append(
            "- The machine was busy with other work: speeds are far below its own, and ratios "
            "uncertain."
        )
    if quick:
        lines.append("- Small sizes (`--quick`): for trying, not for quoting.")
    for part, rows in groupby(measured, lambda row: row.part):
        lines += ["", f"## {HEADINGS[part]}", "", *table(list(rows)), "", REMARKS[part]]
    return "\n".join(lines) + "\n"


def table(rows: list[Measured]) -> list[str]:
    """Return one table, with a row for each package at each piece of work."""
    has_sizes = any(row.size for row in rows)
    unit = "ns a row" if rows[0].part == "columns" else "GB/s"
    heads = ["", "package", unit, "ratio", "goal"] + ["bytes", "of Mithril's"] * has_sizes
    lines = [
        f"| {' | '.join(heads)} |",
        f"| --- | --- | {' | '.join(['---:'] * (len(heads) - 2))} |",
    ]
    for case, group in groupby(rows, lambda row: row.case):
        entries = list(group)
        ours = entries[0]
        for row in entries:
            cells = [case if row is ours else "", row.contender, speed(row)]
            if row.contender.startswith(OURS):
                cells += ["", ""]
            else:
                ratio, best = row.median / ours.median, min(row.seconds) / min(ours.seconds)
                reached = "" if not row.goal else "reached" if ratio >= row.goal else "not reached"
                goal = f"{row.goal:g}x: {reached}" if row.goal else ""
                cells += [f"{ratio:.2f}x ({best:.2f}x)", goal]
            if has_sizes:
                cells += sizes(row, ours)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def speed(row: Measured) -> str:
    """Return the median and the fastest in the part's unit."""
    if row.part == "columns":
        return f"{row.median / row.work * 1e9:,.1f} ({min(row.seconds) / row.work * 1e9:,.1f})"
    return f"{row.work / row.median / 1e9:.2f} ({row.work / min(row.seconds) / 1e9:.2f})"


def sizes(row: Measured, ours: Measured) -> list[str]:
    """Return the bytes that came out, and beside those of Mithril."""
    if row.size is None or ours.size is None:
        return ["", ""]
    return [f"{row.size:,}", f"{row.size / ours.size:.3f}"]
