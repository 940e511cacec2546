"""All pairs by brute force: naive tokens, sets of tuples, and every intersection counted."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt


@dataclass(frozen=True)
class AllPairs:
    """The pairs of texts that share a shingle at a Jaccard similarity of at least 0.3."""

    one: npt.NDArray[np.int64]
    two: npt.NDArray[np.int64]
    jaccard: npt.NDArray[np.float64]

    def similarity(self) -> dict[tuple[int, int], float]:
        pairs = zip(self.one.tolist(), self.two.tolist(), strict=True)
        return dict(zip(pairs, self.jaccard.tolist(), strict=True))


def shingles(tokens: Sequence[str], ngram: int) -> set[Sequence[str]]:
    """The set of runs of `ngram` tokens; one run of all of them where there are fewer."""
    if not isinstance(tokens, str):  # whose runs can be members of a set as they are
        tokens = tuple(tokens)
    if len(tokens) < ngram:
        return {tokens} if tokens else set()
    return {tokens[at : at + ngram] for at in range(len(tokens) - ngram + 1)}


def all_pairs(
    texts: Sequence[str], tokenize: Callable[[str], Sequence[str]], ngram: int
) -> AllPairs:
    """Count the intersection of each text with every text before it, by lists of who has what."""
    numbers: dict[Sequence[str], int] = {}
    having: list[array[int]] = []
    sizes = np.zeros(len(texts), dtype=np.int64)
    found: list[tuple[npt.NDArray[np.int64], int, npt.NDArray[np.float64]]] = []
    for row, text in enumerate(texts):
        members = shingles(tokenize(text), ngram)
        sizes[row] = len(members)
        shared = np.zeros(row + 1, dtype=np.int64)
        for shingle in members:
            number = numbers.setdefault(shingle, len(having))
            if number == len(having):
                having.append(array("q"))
            owners = having[number]
            if owners:
                shared[np.frombuffer(owners, np.int64)] += 1  # an owner stands once in a list
            owners.append(row)
        others = np.flatnonzero(shared[:row])
        similarity = shared[others] / (sizes[others] + len(members) - shared[others])
        close = similarity >= 0.3
        found.append((others[close], row, similarity[close]))
    one = [others for others, _, _ in found]
    two = [np.full(len(others), row) for others, row, _ in found]
    jaccard = [similarity for _, _, similarity in found]
    return AllPairs(np.concatenate(one), np.concatenate(two), np.concatenate(jaccard))
