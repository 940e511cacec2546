"""Why a row was removed."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from html import escape

from mithril import _native

# Differences are looked for in texts of up to so many words: it takes the square of their number.
_MOST_WORDS = 3000
_SHOWN = 8
_STYLE = (
    "<style>.mithril-diff{border-collapse:collapse;table-layout:fixed;width:100%;"
    "color:inherit}"
    ".mithril-diff th,.mithril-diff td{border:1px solid #8886;padding:.4em .6em;text-align:left;"
    "vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".mithril-diff del{background:#f003;text-decoration:none}"
    ".mithril-diff ins{background:#0a03;text-decoration:none}</style>"
)


@dataclass(frozen=True)
class Explanation:
    """Why a row was removed: the row kept for it, and what the two have in common.

    ``print`` it for a summary, or let a notebook show both texts side by side.
    """

    row: int | str
    """The row that was removed; its id where files were read."""
    kept_row: int | str
    """The row that is kept for it."""
    jaccard: float | None
    """Their similarity as the run had it; None where nothing was verified."""
    exact_copy: bool
    """Whether the two texts are the same byte for byte."""
    text: str
    """The text that was removed."""
    kept_text: str
    """The text that is kept for it."""
    common: list[str]
    """The distinct shingles of both, in the order of the removed text."""
    only_removed: list[str]
    """Those of the removed text alone, in its order."""
    only_kept: list[str]
    """Those of the kept text alone, in its order."""
    against: bool = False
    """Whether the row that is kept is one of ``against``, and no row of the input."""

    def __str__(self) -> str:
        """Give a summary for a person."""
        of = " of against" if self.against else ""
        lines = [f"row {self.row} was removed for row {self.kept_row}{of}: {self._reason()}"]
        lines.append(f"  removed: {_shortened(self.text)}")
        lines.append(f"  kept:    {_shortened(self.kept_text)}")
        for name, shingles in (
            ("only in the removed one", self.only_removed),
            ("only in the kept one", self.only_kept),
        ):
            if shingles:
                lines.append(f"  {name}: {_listed(shingles)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        removed, kept = _marked(self.text, self.kept_text)
        return (
            f"{_STYLE}<p>{escape(self._reason())}</p><table class='mithril-diff'><thead><tr>"
            f"<th>row {escape(str(self.row))}, removed</th>"
            f"<th>row {escape(str(self.kept_row))}, kept</th></tr></thead>"
            f"<tbody><tr><td>{removed}</td><td>{kept}</td></tr></tbody></table>"
        )

    def _reason(self) -> str:
        if self.exact_copy:
            return "the texts are the same"
        count, own = len(self.common), len(self.common) + len(self.only_removed)
        union = own + len(self.only_kept)
        if not union:
            return "the same once normalized; no shingles"
        shared = f"{count:,} of {union:,} shingles in common"
        if (
            self.jaccard is not None
            and self.jaccard != count / union
            and self.jaccard == count / own
        ):
            # By containment.
            return (
                f"similarity {self.jaccard:.3f}, {count:,} of its {own:,} shingles in the kept one"
            )
        if self.jaccard is None:
            return f"not verified; {shared}"
        return f"similarity {self.jaccard:.3f}, {shared}"


def explain_removed(output: str | os.PathLike[str], row: int | str) -> Explanation:
    """Say why a row of an earlier run over files was removed.

    The texts are read from the input of that run once more.

    Args:
        output: The folder that `dedup_files` or ``mithril dedup`` has written.
        row: The ``id`` of the row in ``duplicates.parquet``: its value in the id column, or the
            number of the row over all inputs.

    Returns:
        The explanation.

    Raises:
        InvalidArgumentException: No removed row has this id; also a ValueError.
        NotFoundException: An input is not there any more; also a FileNotFoundError.
        DedupException: `output` is no folder of a run, or an input cannot be read.
    """
    found = json.loads(_native.explain_removed(os.fspath(output), str(row)))
    explanation = found["explanation"]
    return Explanation(
        row=found["removed"]["id"],
        kept_row=found["kept"]["id"] or f"{found['kept']['row']} of {found['kept']['file']}",
        jaccard=found["jaccard"],
        exact_copy=found["exact_copy"],
        text=found["removed"]["text"],
        kept_text=found["kept"]["text"],
        common=explanation["common"],
        only_removed=explanation["only_first"],
        only_kept=explanation["only_second"],
        against=found["against"],
    )


def _shortened(text: str, most: int = 100) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."


def _listed(shingles: list[str]) -> str:
    shown = " | ".join(_shortened(shingle, 60) for shingle in shingles[:_SHOWN])
    more = len(shingles) - _SHOWN
    return f"{shown} | and {more:,} more" if more > 0 else shown


def _marked(removed: str, kept: str) -> tuple[str, str]:
    """Give both texts as HTML, with what the other has not in ``del`` and ``ins``."""
    before, after = (re.findall(r"\s+|\w+|[^\w\s]", text) for text in (removed, kept))
    if max(len(before), len(after)) > _MOST_WORDS:
        return escape(removed), escape(kept)
    import difflib  # noqa: PLC0415 - only notebooks need it

    left, right = [], []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        gone, come = "".join(before[start:end]), "".join(after[other_start:other_end])
        if kind == "equal":
            left.append(escape(gone))
            right.append(escape(come))
            continue
        left.append(f"<del>{escape(gone)}</del>" if gone else "")
        right.append(f"<ins>{escape(come)}</ins>" if come else "")
    return "".join(left), "".join(right)
