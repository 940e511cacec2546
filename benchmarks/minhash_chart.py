"""What bench_minhash.py measured, as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from minhash_account import unique, value

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {
    "mithril": "#c0392b",
    "mithril, by white space": "#e59866",
    "rensa": "#2471a3",
    "rensa, 16 bands": "#7fb3d5",
    "FastSketchLSH": "#1e8449",
    "datasketch": "#7d3c98",
    "Daft": "#b7950b",
    "gaoya": "#616a6b",
    "gaoya, in bulk": "#aab7b8",
}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the chart of what was measured with the fewest threads."""
    if not rows:
        return
    threads = min(row["threads"] for row in rows)
    rows = [row for row in rows if row["threads"] == threads]
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "mithril", "font.size": 9, "axes.axisbelow": True}
    )
    figure = Figure(figsize=(12, 9), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 2)
    for place, part in zip(
        axes.flat, (tokens_chart, column_chart, keep_chart, flat_chart), strict=True
    ):
        part(place, rows)
        place.grid(visible=True, axis="both", alpha=0.25)
    figure.suptitle(f"MinHash with 128 values, {threads} thread{'s' * (threads > 1)}")
    figure.savefig(path, metadata={"Date": None})


def chosen(rows: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Return the rows of one part."""
    return [row for row in rows if row["part"] == part]


def tokens_chart(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw the cost of a token by the length of a document."""
    rows = chosen(rows, "tokens")
    for name in unique(row["contender"] for row in rows):
        points = [
            (int(row["case"].replace(",", "")), value(row))
            for row in rows
            if row["contender"] == name
        ]
        axes.plot(*zip(*points, strict=True), "o-", ms=3, color=COLOURS.get(name), label=name)
    axes.set(xscale="log", yscale="log", xlabel="tokens a document", ylabel="ns a token")
    axes.set_title("Hashes of tokens to signatures (lower is better)")
    if rows:
        axes.legend()


def column_chart(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw the throughput of texts to signatures."""
    rows = chosen(rows, "column")
    cases = unique(row["case"] for row in rows)
    names = unique(row["contender"] for row in rows)
    width = 0.85 / max(1, len(names))
    for index, name in enumerate(names):
        ours = [row for row in rows if row["contender"] == name]
        at = [cases.index(row["case"]) + (index + 0.5) * width - 0.425 for row in ours]
        bars = axes.bar(
            at, [value(row) for row in ours], width, color=COLOURS.get(name), label=name
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=6, padding=1)
    axes.set_xticks(range(len(cases)), cases)
    axes.set(yscale="log", xlabel="column of texts", ylabel="MB of UTF-8 a second")
    axes.set_title("A column of texts to signatures (higher is better)")
    if rows:
        axes.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def keep_chart(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw the time from texts to the rows that are kept."""
    rows = chosen(rows, "keep")[::-1]
    labels = []
    for row in rows:
        label = row["contender"]
        if row["case"] == "whole commands":
            label += "\n(whole command)"
        elif "words" in row:
            verdict = row["words" if label == "mithril" else "white_space"]
            label += f"\nrecall {verdict['recall']:.1%}, {verdict['false']} false"
        labels.append(label)
    colours = [COLOURS.get(row["contender"], "#999999") for row in rows]
    bars = axes.barh(range(len(rows)), [value(row) for row in rows], color=colours)
    axes.bar_label(bars, fmt="%.2f s", fontsize=7, padding=2)
    axes.set_yticks(range(len(rows)), labels, fontsize=7)
    axes.margins(x=0.12)
    axes.set(xlabel="s (recall and false removals: by the words that each one cuts)")
    axes.set_title("A column of texts to the rows that are kept (lower is better)")


def flat_chart(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw the cost of a byte by the length and by the number of documents."""
    rows = chosen(rows, "flat")
    labels = {"bytes": "bytes a document", "documents": "documents of 400 bytes"}
    for kind, label in labels.items():
        points = [
            (int(row["case"].split()[0].replace(",", "")), value(row))
            for row in rows
            if row["case"].endswith(kind)
        ]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", label=f"mithril, by {label}")
    axes.set(xscale="log", xlabel="bytes a document, or documents", ylabel="ns a byte")
    axes.set_title("The same cost at every size (flat is better)")
    axes.set_ylim(bottom=0)
    if rows:
        axes.legend()
