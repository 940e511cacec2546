"""The life of an index against a dictionary of documents."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import mithril
from mithril import IndexMatch, MinHasher, MinHashIndex

if TYPE_CHECKING:
    import numpy.typing as npt

EMPTY = 2**64 - 1
PLAIN = {"shingle": "whitespace", "ngram": 2}


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """As docs/signatures.md has it."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class Naive:
    """A dictionary of documents, of which every one is compared with every text."""

    def __init__(self, *, code: bool, permutations: int = 128, threshold: float = 0.8) -> None:
        self.threshold = threshold
        self.code = code
        self.hasher = MinHasher(permutations)
        self.documents: dict[int, tuple[npt.NDArray[Any], npt.NDArray[Any]] | None] = {}

    def known(self, text: str | None) -> tuple[npt.NDArray[Any], npt.NDArray[Any]] | None:
        bands = self.hasher.band_column([text], self.threshold, 0.99, **PLAIN)[0]  # type: ignore[arg-type]
        if (bands == EMPTY).all():
            return None
        signature = self.hasher.hash_column([text], **PLAIN)[0]  # type: ignore[arg-type]
        permutations = self.hasher.num_permutations
        bits = 1 if permutations >= 512 else 2 if permutations >= 256 else 4
        code = mix(signature[: 512 // bits]) >> np.uint64(64 - bits)
        return bands >> np.uint64(32), code

    def query(self, text: str | None, threshold: float | None = None) -> list[IndexMatch]:
        asked = self.known(text)
        if asked is None:
            return []
        rows = self.hasher.banding(self.threshold, 0.99)[1]
        found = []
        for number, known in self.documents.items():
            if known is None or not (equal := (known[0] == asked[0])).any():
                continue
            permutations = self.hasher.num_permutations
            chance = 1 / (2 if permutations >= 512 else 4 if permutations >= 256 else 16)
            share = (known[1] == asked[1]).mean()
            similarity = min(max((share - chance) / (1 - chance), 0.0), 1.0)
            if not self.code:
                similarity = equal.mean() ** (1 / rows)
            if similarity >= (self.threshold if threshold is None else threshold):
                found.append(IndexMatch(number, float(similarity)))
        return sorted(found, key=lambda match: (-match.similarity, match.id))


WORDS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
SENTENCES = st.one_of(
    st.none(),
    st.just(""),
    st.lists(WORDS, min_size=1, max_size=12).map(" ".join),
    # Of one family, so that there are near ones.
    st.integers(0, 15).map(
        lambda n: " ".join(f"w{i}" if i != n else f"x{n}" for i in range(24 + n % 3))
    ),
)
IDS = st.one_of(st.integers(0, 40), st.integers(2**64 - 3, 2**64 - 1))


class Life(RuleBasedStateMachine):
    """An index, and the dictionary that it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.store = mithril.MemoryStorage()
        self.revision = 0

    @initialize(code=st.booleans(), permutations=st.sampled_from([32, 128, 256, 512]))
    def begin(self, *, code: bool, permutations: int) -> None:
        self.make = {"code": code, "permutations": permutations}
        self.index = self.empty()
        self.model = Naive(**self.make)  # type: ignore[arg-type]
        self.saved: dict[int, Any] | None = None

    def empty(self) -> MinHashIndex:
        return MinHashIndex(**self.make, **PLAIN)  # type: ignore[arg-type]

    def close(self, one: list[IndexMatch], two: list[IndexMatch]) -> None:
        assert [match.id for match in one] == [match.id for match in two]
        for first, second in zip(one, two, strict=True):
            assert first.similarity == pytest.approx(second.similarity, abs=1e-12)

    @rule(texts=st.lists(SENTENCES, max_size=4), ids=st.lists(IDS, min_size=4, max_size=4))
    def add(self, texts: list[str | None], ids: list[int]) -> None:
        ids = ids[: len(texts)]
        wrong = len(set(ids)) < len(ids) or not self.model.documents.keys().isdisjoint(ids)
        if wrong:
            with pytest.raises(ValueError, match="id "):
                self.index.add(texts, ids)
            return
        assert self.index.add(texts, np.array(ids, dtype=np.uint64)).tolist() == ids
        self.model.documents |= {
            number: self.model.known(text) for number, text in zip(ids, texts, strict=True)
        }

    @rule(ids=st.lists(IDS, max_size=3), data=st.data())
    def remove(self, ids: list[int], data: st.DataObject) -> None:
        if len(self.model.documents) > 0 and data.draw(st.booleans()):
            ids = [data.draw(st.sampled_from(sorted(self.model.documents)))]
        if len(set(ids)) < len(ids) or not self.model.documents.keys() >= set(ids):
            with pytest.raises(ValueError, match="id "):
                self.index.remove(ids)
            return
        self.index.remove(ids)
        for number in ids:
            del self.model.documents[number]

    @rule(text=SENTENCES, threshold=st.sampled_from([None, 0.0, 0.5, 1.0]))
    def query(self, text: str | None, threshold: float | None) -> None:
        expected = self.model.query(text, threshold)
        self.close(self.index.query(text or "", threshold=threshold), expected)
        offsets, ids, similarities = self.index.query_batch([None, text], threshold=threshold)
        assert offsets.tolist() == [0, 0, len(expected)]
        found = zip(ids.tolist(), similarities.tolist(), strict=True)
        self.close([IndexMatch(*pair) for pair in found], expected)

    @rule()
    def save(self) -> None:
        self.index.save(self.store, "index")
        self.saved = dict(self.model.documents)

    @precondition(lambda self: self.saved is not None)
    @rule()
    def open(self) -> None:
        self.index = MinHashIndex.open(self.store, "index")
        assert self.saved is not None
        self.model.documents = dict(self.saved)

    @rule()
    def pickle(self) -> None:
        self.index = pickle.loads(pickle.dumps(self.index))

    @rule()
    def compact(self) -> None:
        self.index.compact()
        stats = self.index.stats()
        assert (stats.removed, stats.segments) == (0, min(1, len(self.model.documents)))

    @rule(texts=st.lists(SENTENCES, max_size=3), first=IDS)
    def merge(self, texts: list[str | None], first: int) -> None:
        ids = [number for number in range(first, first + len(texts)) if number < 2**64]
        other, texts = self.empty(), texts[: len(ids)]
        other.add(texts, ids)
        if not self.model.documents.keys().isdisjoint(ids):
            with pytest.raises(ValueError, match="in both"):
                self.index.merge(other)
            return
        self.index.merge(other)
        for number, text in zip(ids, texts, strict=True):
            self.model.documents[number] = self.model.known(text)

    @invariant()
    def ids(self) -> None:
        if not hasattr(self, "index"):
            return
        assert self.index.ids().tolist() == sorted(self.model.documents)
        assert len(self.index) == len(self.model.documents)
        documents = self.model.documents
        assert all((number in self.index) == (number in documents) for number in range(41))


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
