"""What bench_scale.py measured, as a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

COLOUR, PLANNED = "#c0392b", "#7f8c8d"


def draw(measured: list[dict[str, Any]], path: Path) -> None:
    """Write the chart of time, memory and temporary bytes by the number of rows."""
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "mithril", "font.size": 9, "axes.axisbelow": True}
    )
    figure = Figure(figsize=(12, 3.6), layout="constrained", facecolor="white")
    rows = [one["rows"] for one in measured]
    plans = [one["plan"] for one in measured]
    parts = (
        (
            "µs a row",
            [one["seconds"] / one["rows"] * 1e6 for one in measured],
            [plan.seconds / plan.documents * 1e6 for plan in plans],
        ),
        (
            "peak memory, MB",
            [one["peak"] / 1e6 for one in measured],
            [plan.memory / 1e6 for plan in plans],
        ),
        (
            "temporary files, GB",
            [one["temporary"] / 1e9 for one in measured],
            [plan.temporary_bytes / 1e9 for plan in plans],
        ),
    )
    for axes, (label, happened, planned) in zip(figure.subplots(1, 3), parts, strict=True):
        axes.plot(rows, happened, "o-", color=COLOUR, label="measured")
        axes.plot(rows, planned, "x--", color=PLANNED, label="said by --plan")
        axes.set(xscale="log", xlabel="rows", ylabel=label)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.25)
        axes.legend()
    figure.savefig(path, metadata={"Date": None})
