"""Streams without near-duplicates, against models that remember everything as it is."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import pickle
import random
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import mithril

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

THRESHOLD = 0.8
OPTIONS: dict[str, Any] = {"ngram": 3, "shingle": "whitespace"}


def stream(count: int, seed: int = 1) -> list[str | None]:
    """Texts of which a third are like earlier ones, with some that are none."""
    draw = random.Random(seed)
    texts: list[str | None] = []
    for row in range(count):
        words = [f"w{draw.randrange(5000)}" for _ in range(draw.randrange(5, 90))]
        earlier = draw.choice(texts) if texts and row % 3 == 0 else None
        if earlier and earlier.strip():
            words = earlier.split()
            words[draw.choice([-1, draw.randrange(len(words))])] = f"new{row}"
        texts.append(" ".join(words))
        if row % 50 == 7:
            texts[-1] = draw.choice([None, "", "  "])
    return texts


class Model:
    """What a filter without verification is to do, with sets."""

    def __init__(self, max_documents: int, *, bloom: bool) -> None:
        self.hasher = mithril.MinHasher()
        self.recent: deque[list[int]] = deque()
        self.max_documents = max_documents
        self.forgotten: set[tuple[int, int]] = set()
        self.bloom = bloom

    def stays(self, texts: list[str | None]) -> list[bool]:
        bands = self.hasher.band_column(texts, threshold=THRESHOLD, recall=0.99, **OPTIONS)
        return [self._see(row) for row in bands.tolist()]

    def _see(self, row: list[int]) -> bool:
        if all(value == 2**64 - 1 for value in row):
            return True
        for other in self.recent:
            if any(one == two for one, two in zip(row, other, strict=True)):
                return False
        if any(one in self.forgotten for one in enumerate(row)):
            return False
        if len(self.recent) == self.max_documents:
            oldest = self.recent.popleft()
            if self.bloom:
                self.forgotten.update(enumerate(oldest))
        self.recent.append(row)
        return True


@pytest.mark.parametrize("max_documents", [1, 7, 100, 10_000])
@pytest.mark.parametrize("when_full", ["forget", "bloom"])
def test_what_stays_is_what_the_model_says(max_documents: int, when_full: Any) -> None:
    texts = stream(1500)
    near = mithril.DedupFilter(
        verify=False, max_documents=max_documents, when_full=when_full, **OPTIONS
    )
    expected = Model(max_documents, bloom=when_full == "bloom").stays(texts)
    assert near.check(texts).tolist() == expected
    stats = near.stats
    assert (stats.seen, stats.dropped) == (len(texts), expected.count(False))
    assert stats.remembered <= max_documents


def test_batches_and_threads_change_nothing() -> None:
    texts = stream(3000)
    expected = mithril.DedupFilter(**OPTIONS).check(texts).tolist()
    assert expected.count(False) > 500
    for size, threads in [(1, 1), (7, 2), (1000, 8), (10_000, 3)]:
        near = mithril.DedupFilter(threads=threads, **OPTIONS)
        stays = [
            stay
            for at in range(0, len(texts), size)
            for stay in near.check(pa.array(texts[at : at + size], pa.string())).tolist()
        ]
        assert stays == expected


def test_what_is_verified_is_like_what_was_kept() -> None:
    texts = stream(4000)
    near = mithril.DedupFilter(threshold=THRESHOLD, **OPTIONS)
    stays = near.check(texts)
    sets = [
        frozenset(zip(words, words[1:], words[2:], strict=False))
        for words in ((text or "").split() for text in texts)
    ]

    def best(row: int) -> float:
        others = (sets[other] for other in range(row) if stays[other] and sets[other])
        return max((len(sets[row] & one) / len(sets[row] | one) for one in others), default=0)

    clear = {"similar": 0, "kept": 0, "strange": 0, "dropped": 0}
    for row in range(0, len(texts), 3):
        if not sets[row]:
            continue
        similarity = best(row)
        # The error of the estimate is 0.037: three times that above is clear, and four times below.
        if similarity > THRESHOLD + 0.12:
            clear["similar"] += 1
            clear["kept"] += bool(stays[row])
        if similarity < THRESHOLD - 0.15:
            clear["strange"] += 1
            clear["dropped"] += not stays[row]
    assert clear["similar"] > 50
    assert clear["kept"] <= clear["similar"] * 0.02
    assert clear["strange"] > 100
    assert clear["dropped"] == 0


@pytest.mark.parametrize("when_full", ["forget", "bloom"])
def test_a_filter_goes_on_from_its_state(when_full: Any) -> None:
    texts = stream(900)
    options = OPTIONS | {"max_documents": 200, "when_full": when_full, "bloom_bytes": 1 << 16}
    whole = mithril.DedupFilter(**options).check(texts).tolist()
    for cut in (0, 1, 150, 400, 899):
        near = mithril.DedupFilter(**options)
        stays = near.check(texts[:cut]).tolist()
        again = mithril.DedupFilter(threshold=0.5)
        again.load_state_dict(near.state_dict())
        pickled = pickle.loads(pickle.dumps(near))
        assert again.stats == pickled.stats == near.stats
        for one in (near, again, pickled):
            assert stays + one.check(texts[cut:]).tolist() == whole
        assert again.state_dict() == near.state_dict()


def test_a_damaged_state_is_an_error() -> None:
    near = mithril.DedupFilter(max_documents=10, when_full="bloom", bloom_bytes=256)
    near.check(["one text", "another text", "a third of these"])
    state = near.state_dict()["filter"]
    again = mithril.DedupFilter()
    for at in range(len(state)):
        damaged = state[:at] + bytes([state[at] ^ 1]) + state[at + 1 :]
        with pytest.raises(ValueError, match="no state of a filter"):
            again.load_state_dict({"filter": damaged})
    for length in range(len(state)):
        with pytest.raises(ValueError, match="no state of a filter"):
            again.load_state_dict({"filter": state[:length]})
    for foreign in ({}, {"filter": "text"}, {"filter": b""}, {"filter": b"x" * 1000}):
        with pytest.raises(ValueError, match="no state of a filter"):
            again.load_state_dict(foreign)
    assert again.check(["one text"]).tolist() == [True]


def with_numbers(near: mithril.DedupFilter, **numbers: int) -> dict[str, bytes]:
    """The state of a filter that claims to have seen so many documents."""
    state = bytearray(near.state_dict()["filter"][:-8])
    start = 16 + int.from_bytes(state[12:16], "little")
    for at, name in enumerate(["seen", "dropped", "passed_over", "added"]):
        if name in numbers:
            place = slice(start + 8 * at, start + 8 * at + 8)
            state[place] = numbers[name].to_bytes(8, "little")
    return {"filter": bytes(state) + mithril.xxh3_64(bytes(state)).digest()[::-1]}


@pytest.mark.parametrize("before", range(-6, 3))
def test_numbers_come_around(before: int) -> None:
    texts = ["aa bb", "aa bb", "cc dd", "cc dd", "ee ff", "aa bb", "gg hh", "aa bb"]
    for around in (2**32 - 1, 2**32):
        near = mithril.DedupFilter(max_documents=4)
        expected = near.check(texts).tolist()
        other = mithril.DedupFilter(max_documents=4)
        other.check(["ii jj", "kk ll", "mm nn", "oo pp"])
        again = mithril.DedupFilter()
        again.load_state_dict(with_numbers(other, added=around + before))
        assert again.check(texts).tolist() == expected


@pytest.mark.parametrize("name", ["seen", "dropped", "passed_over", "added"])
def test_a_state_of_impossible_numbers_is_an_error(name: str) -> None:
    near = mithril.DedupFilter(max_documents=1)
    near.check(["a b"])
    with pytest.raises(ValueError, match="more than anybody could"):
        near.load_state_dict(with_numbers(near, **{name: 2**64 - 1}))


def test_streams_of_any_items() -> None:
    texts = ["a b c d", "x y z", "a b c d", None, "x y z!", ""]
    items = [{"n": number, "text": text} for number, text in enumerate(texts)]
    for text in ("text", lambda item: item["text"]):
        for size in (1, 2, 100):
            near = mithril.DedupFilter()
            kept = near.filter(iter(items), text, batch_size=size)
            assert [item["n"] for item in kept] == [0, 1, 3, 5]
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        mithril.DedupFilter().filter([], batch_size=0)
    with pytest.raises(TypeError, match="expected str or None, not int"):
        list(mithril.DedupFilter().filter([1]))


def test_no_more_is_taken_than_a_batch() -> None:
    taken = itertools.count()
    kept = mithril.DedupFilter().filter(
        (f"text number {next(taken)}" for _ in range(100)), batch_size=10
    )
    next(kept)
    assert next(taken) == 10

    async def main() -> None:
        taken = 0

        async def items() -> AsyncIterator[str]:
            nonlocal taken
            for number in range(95):
                taken += 1
                await asyncio.sleep(0)
                yield f"text number {number % 30}"

        seen = []
        async for item in mithril.DedupFilter().filter_async(items(), batch_size=10):
            seen.append(item)
            assert taken <= len(seen) // 10 * 10 + 10 or len(seen) == 30
        assert seen == [f"text number {number}" for number in range(30)]
        assert taken == 95

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_documents": 0}, "max_documents must be between 1"),
        ({"max_documents": 2**31 + 1}, "max_documents must be between 1"),
        ({"threshold": 0}, "threshold must be above 0"),
        ({"permutations": 2}, "needs at least"),
        ({"when_full": "bloom", "bloom_bytes": 7}, "bloom_bytes must be at least 128"),
        ({"when_full": "grow"}, "when_full"),
        ({"ngram": 0}, "ngram must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"max_documents": 2**31, "permutations": 4096, "recall": 0.9999999}, "fit into memory"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        mithril.DedupFilter(**options)


def test_a_crowd_is_passed_over_not_waited_for() -> None:
    # One paragraph, and words of each document's own: buckets of thousands that are not alike.
    shared = " ".join(f"s{number}" for number in range(60))
    texts = [f"{shared} " + " ".join(f"o{row}x{n}" for n in range(30)) for row in range(3000)]
    near = mithril.DedupFilter(**OPTIONS)
    assert near.check(texts).mean() > 0.99
    assert near.stats.passed_over > 0
    assert "of at most 1,000,000 remembered" in repr(near)


class Fake(types.ModuleType):
    """As much of PyTorch as a dataset needs."""

    worker: Any = None
    IterableDataset = object

    def get_worker_info(self) -> Any:
        return self.worker


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """mithril.torch beside something that looks like PyTorch to it."""
    fake = Fake("torch.utils.data")
    for name in ("torch", "torch.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "torch.utils.data", fake)
    monkeypatch.delitem(sys.modules, "mithril.torch", raising=False)
    module: Any = importlib.import_module("mithril.torch")
    module.fake = fake
    yield module
    sys.modules.pop("mithril.torch", None)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_share_what_stays(torch: Any, workers: int) -> None:
    texts = stream(600)
    near = mithril.DedupFilter(**OPTIONS)
    dataset = torch.DedupDataset(texts, near=near, batch_size=64)
    everything = list(dataset)
    stays = mithril.DedupFilter(**OPTIONS).check(texts)
    assert everything == [text for text, stay in zip(texts, stays, strict=True) if stay]
    assert near.stats.seen == 0
    shares = []
    for number in range(workers):
        torch.fake.worker = types.SimpleNamespace(id=number, num_workers=workers)
        shares.append(list(dataset))
        # A second epoch is like the first.
        assert list(dataset) == shares[-1]
    for number, share in enumerate(shares):
        assert share == everything[number::workers]


class Resumable:
    """A stream that knows where it is."""

    def __init__(self, texts: list[str | None]) -> None:
        self.texts = texts
        self.at = 0
        self.read = 0

    def __iter__(self) -> Iterator[str | None]:
        while self.at < len(self.texts):
            self.at += 1
            self.read += 1
            yield self.texts[self.at - 1]
        self.at = 0

    def state_dict(self) -> dict[str, int]:
        return {"at": self.at}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.at = state["at"]


@pytest.mark.parametrize("resumable", [False, True])
def test_a_dataset_resumes_to_the_same_stream(torch: Any, resumable: bool) -> None:
    texts = stream(400)

    streams: list[Resumable] = []

    def dataset() -> Any:
        streams.append(Resumable(texts))
        items = streams[-1] if resumable else texts
        return torch.DedupDataset(items, near=mithril.DedupFilter(**OPTIONS), batch_size=50)

    for worker in (None, types.SimpleNamespace(id=1, num_workers=2)):
        torch.fake.worker = worker
        whole = list(dataset())
        for count in (0, 1, 30, 100, len(whole)):
            first = dataset()
            begun = list(itertools.islice(iter(first), count))
            state = pickle.loads(pickle.dumps(first.state_dict()))
            second = dataset()
            second.load_state_dict(state)
            assert begun + list(second) == whole
            if resumable and count == 100:
                assert streams[-1].read < len(texts)
            # What was loaded is for one iteration.
            assert list(second) == whole


def test_the_state_is_that_of_the_iteration_that_was_asked_for(torch: Any) -> None:
    texts = stream(300)
    dataset = torch.DedupDataset(texts, near=mithril.DedupFilter(**OPTIONS), batch_size=50)
    assert dataset.state_dict() == {}
    whole = list(dataset)
    iteration = iter(dataset)
    # Before its first item it has taken nothing.
    assert dataset.state_dict()["taken"] == 0
    state = dataset.state_dict()
    assert next(iteration) == whole[0]
    dataset.load_state_dict(state)
    assert dataset.state_dict()["taken"] == 0
    assert list(dataset) == whole
    dataset.load_state_dict({})
    assert dataset.state_dict() == {}
    with pytest.raises(ValueError, match="it has no items, near, pending, stayed, taken"):
        dataset.load_state_dict({"x": 1})


def test_numpy_and_polars_columns_are_read() -> None:
    texts = np.array(["one two", "one two", "three"], dtype=object)
    assert mithril.DedupFilter().check(texts).tolist() == [True, False, True]


def test_datasets_of_hugging_face_are_filtered() -> None:
    datasets = pytest.importorskip(
        "datasets", reason="datasets is not installed: `make test-python` does that"
    )
    texts = stream(2500)
    stays = mithril.DedupFilter(**OPTIONS).check(texts)
    expected = [text for text, stay in zip(texts, stays, strict=True) if stay]
    rows = datasets.Dataset.from_dict({"text": texts})
    near = mithril.DedupFilter(**OPTIONS)
    kept = rows.filter(near.check, batched=True, input_columns="text")
    assert kept["text"][:] == expected
    near = mithril.DedupFilter(**OPTIONS)
    streamed = rows.to_iterable_dataset().filter(near.check, batched=True, input_columns="text")
    assert [row["text"] for row in streamed] == expected
    result = mithril.deduplicate(texts, **OPTIONS)
    assert result.apply(rows)["text"][:] == result.apply(texts)


def test_notebooks_show_what_a_filter_has_seen() -> None:
    near = mithril.DedupFilter()
    assert "0%" in near.stats._repr_html_()
    near.check(["one text", "One text!", "another", None])
    shown = near.stats._repr_html_()
    assert shown.count("<tr>") == 4
    assert "1 (25.0%)" in shown
