"""What is right and wrong about the rows that were kept, by the exact similarity of all pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from oracle import all_pairs
from peers import NGRAM, THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

# Words of a text in ASCII by UAX #29: an apostrophe, a full stop or a colon stands within a word
# between letters, a comma, a full stop, a semicolon or an apostrophe between digits.
WORD = re.compile(
    r"(?:[a-z0-9_]|(?<=[a-z])['.:](?=[a-z])|(?<=[0-9])[',.;](?=[0-9]))+", re.IGNORECASE
)


def words_of_white_space(text: str) -> Sequence[str]:
    """Cut at white space."""
    return text.lower().split()


def words_of_unicode(text: str) -> Sequence[str]:
    """Cut a text in ASCII into words by UAX #29."""
    return [word for word in WORD.findall(text.lower()) if word.strip("_")]


@dataclass(frozen=True)
class Truth:
    """The rows that are as similar as the threshold asks for."""

    alike: list[set[int]]

    @classmethod
    def of(cls, texts: Sequence[str], cut: Callable[[str], Sequence[str]]) -> Truth:
        """Compare all texts, cut into words by `cut`."""
        alike: list[set[int]] = [set() for _ in texts]
        for (one, two), similarity in all_pairs(texts, cut, NGRAM).similarity().items():
            if similarity >= THRESHOLD:
                alike[one].add(two)
                alike[two].add(one)
        return cls(alike)

    def judge(self, keep: Sequence[bool] | npt.NDArray[np.bool_]) -> dict[str, float]:
        """Count the false removals, and the rows that should have gone.

        A removal is false when no row that is kept is alike. A row should have gone when one
        that is kept before it is alike.
        """
        kept = set(np.flatnonzero(np.asarray(keep)).tolist())
        removed = len(self.alike) - len(kept)
        false = sum(
            row not in kept and alike.isdisjoint(kept) for row, alike in enumerate(self.alike)
        )
        missed = sum(
            any(other < row and other in kept for other in self.alike[row]) for row in kept
        )
        right = removed - false
        return {
            "removed": removed,
            "false": false,
            "recall": right / (right + missed) if right + missed else 1.0,
        }
