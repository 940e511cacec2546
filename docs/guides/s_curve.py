"""Draw s-curve.svg, in colours for light and for dark pages.

Run it with ``python docs/guides/s_curve.py``. It is drawn by hand, since matplotlib's own would be
twenty times as large, and a test compares it with what is committed.
"""

from __future__ import annotations

from pathlib import Path

import mithril

PICTURE = Path(__file__).with_name("s-curve.svg")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 700, 300, 50, 44, 48
GREY = "#888"
CURVES = {0.9: "#e08e0b", 0.99: "#2f8fd0", 0.999: "#c2527a"}
THRESHOLD = 0.8
STEPS = 100
FIFTHS = 5


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """Return the picture as SVG."""
    parts = [line for fifth in range(FIFTHS + 1) for line in grid(fifth / FIFTHS)]
    middle = across(0.5)
    parts.append(text(middle, HEIGHT - 8, "Jaccard similarity of a pair", "middle"))
    parts.append(text(LEFT, 14, "probability that a pair is found, at threshold 0.8"))
    parts.append(
        line(across(THRESHOLD), up(0), across(THRESHOLD), up(1), ' stroke-dasharray="5 4"')
    )
    for number, (recall, colour) in enumerate(CURVES.items()):
        bands, rows = mithril.MinHasher().banding(THRESHOLD, recall)
        found = [1 - (1 - (step / STEPS) ** rows) ** bands for step in range(STEPS + 1)]
        points = " ".join(
            f"{across(step / STEPS):.1f},{up(value):.1f}" for step, value in enumerate(found)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        label = f"recall {recall}: {bands} bands of {rows}"
        parts.append(text(LEFT + number * 215, 32, label, colour=colour))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def grid(value: float) -> list[str]:
    """Return the lines and labels of a value on both axes."""
    return [
        line(across(value), up(0), across(value), up(1), ' stroke-opacity=".3"'),
        line(across(0), up(value), across(1), up(value), ' stroke-opacity=".3"'),
        text(across(value), up(0) + 18, f"{value:g}", "middle"),
        text(LEFT - 8, up(value) + 4, f"{value:g}", "end"),
    ]


def across(similarity: float) -> float:
    """Return where a similarity is."""
    return LEFT + similarity * (WIDTH - LEFT - 20)


def up(probability: float) -> float:
    """Return where a probability is."""
    return HEIGHT - BOTTOM - probability * (HEIGHT - BOTTOM - TOP)


def line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    """Return a line."""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{GREY}"{more}/>'


def text(x: float, y: float, content: str, anchor: str = "start", colour: str = GREY) -> str:
    """Return a text."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{colour}">{content}</text>'


if __name__ == "__main__":
    main()
