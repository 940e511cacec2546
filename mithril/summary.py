"""Rows of a label and a value, as reports show themselves."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_text(rows: Sequence[tuple[str, str]]) -> str:
    """Lay the rows out for a terminal."""
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {value}" for label, value in rows)


def as_html(rows: Sequence[tuple[str, str]]) -> str:
    """Lay the rows out for a notebook."""
    cells = "".join(
        # A label may be indented.
        f'<tr><th style="text-align:left;white-space:pre;padding-right:1.5em">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for label, value in rows
    )
    return f"<table style='color:inherit'>{cells}</table>"
