"""What bench_minhash.py measured, in Markdown."""

from __future__ import annotations

import datetime as dt
import platform
import statistics
from typing import TYPE_CHECKING, Any

from bench_dedup import processor
from corpora import COLUMNS
from peers import BANDS, DATASKETCH_BYTES, DATASKETCH_TOKENS, NGRAM, PERMUTATIONS, THRESHOLD
from peers import versions as installed_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

OURS = "mithril"
HEADINGS = {
    "tokens": "Hashes of tokens to signatures: ns a token, by the tokens of a document",
    "column": f"A column of texts to signatures of word {NGRAM}-grams: MB/s",
    "keep": "A column of texts to the rows that are kept: s",
    "flat": "Documents of every length, and columns of every size: ns a byte",
}


def account(rows: list[dict[str, Any]], *, quick: bool) -> str:
    """Return all tables, under what they were measured on."""
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    lines = [
        "# MinHash and deduplication beside other packages",
        "",
        "`make bench-minhash` writes this page and its chart.",
        "",
        (
            f"- {today}, {processor()}, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}"
        ),
        f"- {versions}",
        (
            f"- Signatures have {PERMUTATIONS} values. A cell is the median of the repetitions, in "
            "brackets the fastest, and how many times as fast as it Mithril is by the medians. The "
            "packages ran in turns in one process; with one thread, on one processor."
        ),
    ]
    if quick:
        lines.append("- Small sizes (`--quick`): for trying, not for quoting.")
    lines += ["", "![Chart](minhash-benchmark.svg)"]
    for part, heading in HEADINGS.items():
        for threads in sorted({row["threads"] for row in rows}):
            chosen = [row for row in rows if (row["part"], row["threads"]) == (part, threads)]
            if chosen:
                title = f"{heading} ({threads} thread{'s' * (threads > 1)})"
                lines += ["", f"## {title}", "", *comparison(part, chosen), *remarks(part, chosen)]
    return "\n".join(lines) + "\n"


def value(row: dict[str, Any], pick: Callable[[list[float]], float] = statistics.median) -> float:
    """Return the median of a row, or what else `pick` takes of its seconds, in its part's unit."""
    seconds = pick(row["seconds"])
    work = float(row["work"])
    if row["part"] == "column":
        return work / seconds / 1e6
    if row["part"] == "keep":
        return seconds
    return seconds / work * 1e9


def unique(items: Iterable[Any]) -> list[Any]:
    """Return each item once, in the order in which they come first."""
    return list(dict.fromkeys(items))


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    cells = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return [f"| {' | '.join(line)} |" for line in cells]


def comparison(part: str, rows: list[dict[str, Any]]) -> list[str]:
    """Return a table of the cases, with a column for each contender."""
    by_place = {(row["case"], row["contender"]): row for row in rows}
    contenders = unique(row["contender"] for row in rows)
    cases = unique(row["case"] for row in rows)
    if part == "keep":  # with few cases and many contenders, these are the lines
        body = [
            [
                name,
                *(cell(by_place.get((case, name)), by_place.get((case, OURS))) for case in cases),
            ]
            for name in contenders
        ]
        return table(["", *cases], body)
    body = [
        [
            case,
            *(cell(by_place.get((case, name)), by_place.get((case, OURS))) for name in contenders),
        ]
        for case in cases
    ]
    return table(["", *contenders], body)


def cell(row: dict[str, Any] | None, ours: dict[str, Any] | None) -> str:
    """Return the median, the fastest, and the ratio to ours."""
    if row is None:
        return ""
    text = f"{number(value(row))} ({number(value(row, min))})"
    if ours is None or ours is row:
        return text
    return f"{text} {pace(row) / pace(ours):.1f}x"


def pace(row: dict[str, Any]) -> float:
    """Return the median of the seconds for a unit of work."""
    seconds: list[float] = row["seconds"]
    return statistics.median(seconds) / float(row["work"])


def number(measured: float) -> str:
    """Return a number with about three digits."""
    if measured >= 100:
        return f"{measured:,.0f}"
    return f"{measured:.1f}" if measured >= 10 else f"{measured:.2f}"


def remarks(part: str, rows: list[dict[str, Any]]) -> list[str]:
    """Return what is to be known about the numbers of a part."""
    if part == "tokens":
        return [
            "",
            (
                "Random hashes of 64 bits in one array with offsets; rensa sees all of each set. "
                f"datasketch has {DATASKETCH_TOKENS:,} of the tokens, as lists of 32 bits."
            ),
        ]
    if part == "column":
        return ["", *corpus_table(rows), "", *column_remarks()]
    if part == "keep":
        return quality(rows)
    if not rows:
        return []
    return ["", *spread(rows)]


def corpus_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return what the columns hold."""
    seen = {row["case"]: row for row in rows}
    body = [
        [
            name,
            COLUMNS[name],
            f"{row['documents']:,}",
            f"{row['bytes'] / 1e6:.1f} MB",
            f"{row['bytes'] // row['documents']:,}",
        ]
        for name, row in seen.items()
    ]
    return table(["column", "of", "documents", "UTF-8", "bytes a document"], body)


def column_remarks() -> list[str]:
    """Return how each contender gets its shingles."""
    return [
        "- Mithril cuts into words by UAX #29, and Chinese and Japanese into characters.",
        (
            "- rensa, FastSketchLSH and datasketch get shingles that Python makes of words between "
            "white space, and of characters in the column CJK."
        ),
        (
            "- Daft normalizes (case and white space) and cuts at spaces itself, in the column CJK "
            "too, where that gives few shingles. Its hash is xxhash3_64."
        ),
        f"- datasketch has the first {DATASKETCH_BYTES / 1e6:.0f} MB, and CRC-32 as its hash.",
    ]


def quality(rows: list[dict[str, Any]]) -> list[str]:
    """Return a table of what was removed rightly and wrongly."""
    judged = [row for row in rows if "words" in row]
    if not judged:
        return []
    first = judged[0]
    body = []
    for row in judged:
        line = [row["contender"], f"{row['words']['removed']:,}"]
        for definition in ("white_space", "words"):
            verdict = row[definition]
            line += [f"{verdict['recall']:.2%}", f"{verdict['false']:,}"]
        body.append(line)
    head = ["", "removed", "recall, white space", "false", "recall, UAX #29", "false"]
    return [
        "",
        (
            f"{first['work']:,} neighbouring entries of changelogs in ASCII, of "
            f"{first['bytes'] / 1e6:.1f} MB, with near-duplicates planted. Duplicates are rows "
            f"with a Jaccard similarity of {THRESHOLD} or more. rensa has 8 bands where nothing "
            f"else is said, which is its own choice; gaoya, Daft and FastSketchLSH have {BANDS}. "
            f"With gaoya, all texts of fewer than {NGRAM} words are alike. Whole commands read a "
            "Parquet file and write one, their start included."
        ),
        "",
        (
            f"The first {first['sample']:,} of these rows against the exact similarity of all "
            f"pairs, by {NGRAM}-grams of words between white space, as the other packages cut "
            "them, and of words by UAX #29, as Mithril does. A removal is false when no row that "
            "is kept is similar enough; recall is the share of those removed among the rows that "
            "are similar enough to one kept before them."
        ),
        "",
        *table(head, body),
    ]


def spread(rows: list[dict[str, Any]]) -> list[str]:
    """Return by how much the cost of a byte varies."""
    lines = []
    for kind in ("bytes", "documents"):
        costs = [value(row) for row in rows if row["case"].endswith(kind)]
        if costs:
            lines.append(
                f"- {kind}: the dearest costs {max(costs) / min(costs):.2f} times the cheapest"
            )
    note = "The text of the lengths is the same; columns above what there is of text repeat it."
    return [*lines, "", note]
