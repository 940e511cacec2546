"""The index against a naive one, on real text, in stores and as a command."""

from __future__ import annotations

import asyncio
import json
import pickle
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from oracle import all_pairs
from processes import LIMIT, line, run, started
from test_dedup import COLUMNS, TEXTS

import mithril
from mithril import IndexMatch, MinHasher, MinHashIndex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    from servers import Moto

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


@pytest.mark.parametrize("threshold", [0.6, 0.8])
def test_real_text_is_found_as_often_as_promised(
    library_files: list[str], threshold: float
) -> None:
    pieces = [piece for text in library_files for piece in text.split("\n\n\n") if len(piece) > 400]
    files = [text for text in library_files if 400 < len(text) < 20_000]
    texts = files + random.Random(1).sample(pieces, 6_000)
    truth = all_pairs(texts, lambda text: text.lower().split(), ngram=5)
    index = MinHashIndex(threshold, 0.99, shingle="whitespace")
    index.add(texts)
    offsets, ids, similarities = index.query_batch(texts, threshold=0.0)
    found = {
        (row, int(one)): similarity
        for row in range(len(texts))
        for one, similarity in zip(
            ids[offsets[row] : offsets[row + 1]],
            similarities[offsets[row] : offsets[row + 1]],
            strict=True,
        )
    }
    above = truth.jaccard >= threshold
    assert above.sum() > 100, "the corpus shows nothing"
    pairs = list(zip(truth.one[above].tolist(), truth.two[above].tolist(), strict=True))
    recall = np.mean([pair in found for pair in pairs])
    print(f"{len(pairs)} true pairs, recall {recall:.4f}")
    assert recall >= 0.99
    # As likely one way round as the other.
    assert all((two, one) in found for one, two in pairs if (one, two) in found)
    errors = np.array(
        [
            found[pair] - jaccard
            for pair, jaccard in zip(pairs, truth.jaccard[above].tolist(), strict=True)
            if pair in found
        ]
    )
    assert abs(errors.mean()) < 0.01
    assert errors.std() < 0.045
    # What is two standard errors above the threshold is a match at the index's own.
    clear = {
        pair for pair, jaccard in truth.similarity().items() if jaccard >= threshold + 2 * 0.045
    }
    matched = sum(found.get(pair, 0.0) >= threshold for pair in clear)
    assert matched >= 0.97 * len(clear)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column_gives_the_same(name: str) -> None:
    index = MinHashIndex()
    assert index.add(COLUMNS[name]()).tolist() == [0, 1, 2, 3, 4]
    offsets, ids, similarities = index.query_batch(COLUMNS[name]())
    assert offsets.tolist() == [0, 2, 2, 3, 5, 5]
    assert ids.tolist() == [0, 3, 2, 0, 3]
    kinds = [array.dtype.name for array in (offsets, ids, similarities)]
    assert kinds == ["int64", "uint64", "float64"]
    assert similarities.tolist() == [1.0] * 5


@pytest.mark.parametrize(
    "ids",
    [
        [7, 0, 2**64 - 1],
        (7, 0, 2**64 - 1),
        np.array([7, 0, 2**64 - 1], dtype=np.uint64),
        pa.array([7, 0, 2**64 - 1], pa.uint64()),
        pa.chunked_array([[7], [0, 2**64 - 1]], pa.uint64()),
    ],
)
def test_every_kind_of_ids(ids: Any) -> None:
    index = MinHashIndex()
    assert index.add(["one", "two", "three"], ids).tolist() == [7, 0, 2**64 - 1]
    assert 2**64 - 1 in index
    assert np.uint64(7) in index
    assert all(other not in index for other in (1, -1, 2**64, "7", None, 7.5))
    index.remove(ids)
    assert len(index) == 0
    for kind in ("int8", "int64", "uint16"):
        index.add(["one"], np.array([100], dtype=kind))
        index.remove(np.array([100], dtype=kind))


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([1], ValueError, "1 ids do not fit 2 documents"),
        ([1, 1], ValueError, "row 1: id 1 is given twice"),
        ([3, 5], ValueError, "row 1: id 5 is in the index already"),
        ([3, -1], ValueError, r"ids\[1\] must be between 0 and 2\*\*64 - 1, not -1"),
        ([3, 2**64], ValueError, r"ids\[1\] must be between"),
        ([3, "x"], TypeError, r"ids\[1\] must be an integer, not str"),
        (np.array([3, -1]), ValueError, r"ids\[1\] must be at least 0, not -1"),
        (np.array([3.0, 4.0]), ValueError, "ids must be integers"),
        (pa.array([3, None]), ValueError, "row 1: ids must be between 0 and .*, not null"),
        (pa.array([3, -4]), ValueError, "row 1: ids must be between .*, not a number below zero"),
        (pa.array(["3", "4"]), ValueError, "ids must be integers"),
        (5, TypeError, "ids must be integers"),
    ],
)
def test_wrong_ids_are_named(ids: Any, error: type[Exception], message: str) -> None:
    index = MinHashIndex()
    index.add(["there"], [5])
    with pytest.raises(error, match=message):
        index.add(["one", "two"], ids)
    assert index.ids().tolist() == [5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold must be above 0"),
        ({"threshold": float("nan")}, "threshold must be a number"),
        ({"recall": 1.0}, "recall must be"),
        ({"permutations": 0}, "permutations must be"),
        ({"permutations": 8, "threshold": 0.3}, "needs at least"),
        ({"seed": -1}, "seed"),
        ({"shingle": "lines"}, "shingle"),
        ({"ngram": 0}, "ngram must be"),
        ({"code": "yes"}, "code"),
    ],
)
def test_wrong_options_are_named(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MinHashIndex(**options)


def test_wrong_arguments_are_named() -> None:
    index = MinHashIndex()
    with pytest.raises(TypeError, match="text must be a str, not bytes"):
        index.query(b"text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"threshold must be at least 0 and at most 1, not 1\.5"):
        index.query("text", threshold=1.5)
    with pytest.raises(ValueError, match="threads must be between"):
        index.add(["text"], threads=0)
    with pytest.raises(TypeError, match="row 0: expected str or None, not int"):
        index.add([1])
    with pytest.raises(TypeError, match="other must be a MinHashIndex"):
        index.merge([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="different options"):
        index.merge(MinHashIndex(seed=1))
    with pytest.raises(ValueError, match="key must be a str, not int"):
        index.save("memory://", 5)  # type: ignore[arg-type]


def test_surrogates_are_texts_too() -> None:
    index = MinHashIndex()
    index.add(["half a \ud83d character"])
    assert [match.id for match in index.query("half a \ud83d character")] == [0]


def test_an_empty_index_answers() -> None:
    index = MinHashIndex()
    assert (len(index), index.query("text"), index.ids().tolist()) == (0, [], [])
    offsets, ids, similarities = index.query_batch(["text", None])
    assert (offsets.tolist(), len(ids), len(similarities)) == ([0, 0, 0], 0, 0)
    assert index.query_batch([])[0].tolist() == [0]
    assert index.add([]).tolist() == []
    index.remove([])
    index.compact()
    stats = index.stats()
    assert (stats.documents, stats.bytes_per_document, stats.largest_bucket) == (0, 0.0, 0)
    assert len(pickle.loads(pickle.dumps(index))) == 0


def test_what_it_tells_of_itself() -> None:
    index = MinHashIndex(threshold=0.7)
    index.add(["some words in a row"] * 3 + ["other words altogether"])
    index.remove([0])
    assert repr(index) == "<mithril.MinHashIndex: 3 documents, threshold=0.7, recall=0.99>"
    stats = index.stats()
    assert (stats.documents, stats.removed, stats.largest_bucket) == (3, 1, 2)
    assert "largest bucket  2" in str(stats)
    assert "<th" in stats._repr_html_()
    assert index.options["threshold"] == 0.7
    assert index.options["unicode_form"] is None


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_threads_change_nothing(library_files: list[str], threads: int) -> None:
    texts = library_files[:200]
    one, other = MinHashIndex(), MinHashIndex()
    one.add(texts)
    for text in range(0, 200, 50):
        other.add(texts[text : text + 50], threads=threads)
    for first, second in zip(
        one.query_batch(texts), other.query_batch(texts, threads=threads), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_readers_and_writers_in_many_threads() -> None:
    index, failures = MinHashIndex(**PLAIN), []  # type: ignore[arg-type]

    def work(number: int) -> None:
        try:
            for round_ in range(20):
                first = number * 1_000_000 + round_ * 1000
                texts = [f"text {number} of round {round_} and {row}" for row in range(100)]
                index.add(texts, range(first, first + 100))
                assert first in [match.id for match in index.query(texts[0])]
                index.remove(range(first + 50, first + 100))
                if round_ % 7 == 0:
                    index.compact()
        except BaseException as error:  # noqa: BLE001 - the test fails by it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(index) == 4 * 20 * 50


def read_object(data: bytes) -> tuple[int, dict[str, bytes]]:
    """The kind and the sections of an object, by docs/index.md alone."""
    magic, version, kind, count, size = struct.unpack_from("<8sIIIxxxxQ", data)
    assert (magic, version, count, size) == (b"MTHRLIDX", 1, 4, len(data))
    head = bytearray(data[: 64 + 32 * count])
    (checksum,) = struct.unpack_from("<Q", head, 32)
    head[32:40] = bytes(8)
    assert int(mithril.xxh3_64(bytes(head)).hexdigest(), 16) == checksum
    sections, end = {}, len(head)
    for entry in range(count):
        name, start, length, digest = struct.unpack_from("<8sQQQ", data, 64 + 32 * entry)
        assert start % 64 == 0
        assert data[end:start] == bytes(start - end)
        end = start + length
        section = data[start:end]
        assert int(mithril.xxh3_64(section).hexdigest(), 16) == digest
        sections[name.rstrip(b"\0").decode()] = section
    assert end == size
    return kind, sections


@pytest.mark.parametrize("code", [True, False])
def test_objects_are_what_the_page_says(code: bool) -> None:
    store = mithril.MemoryStorage()
    index = MinHashIndex(0.7, 0.9, 256, 7, ngram=2, strip_accents=True, code=code)
    texts = ["some words in a row", None, "Some words in a row!", "others, but few"]
    index.add(texts, [300, 9, 5, 2**64 - 2])
    index.save(store, "key")
    index.remove([300])
    index.save(store, "key")
    manifest, segment = store.list()
    assert manifest == "key/manifest"

    kind, sections = read_object(bytes(store.get(segment)))
    assert (kind, list(sections)) == (2, ["options", "ids", "bands", "codes"])
    hasher = MinHasher(256, 7)
    bands, rows = hasher.banding(0.7, 0.9)
    bits = 2 if code else 0
    expected = struct.pack("<ddQQIII", 0.7, 0.9, 7, 2, 256, bands, rows)
    expected += bytes([0, 1, 0, 0, 1, 0, 0, bits])
    assert sections["options"] == expected + bytes(12)
    order = [2, 1, 0, 3]
    assert np.frombuffer(sections["ids"], "<u8").tolist() == [5, 9, 300, 2**64 - 2]
    column = [texts[row] for row in order]
    hashes = hasher.band_column(column, 0.7, 0.9, ngram=2, strip_accents=True)
    for band, entries in enumerate(np.frombuffer(sections["bands"], "<u8").reshape(bands, 3)):
        numbers = [0, 2, 3]
        entry = [int(hashes[number, band] >> np.uint64(32)) << 32 | number for number in numbers]
        assert entries.tolist() == sorted(entry)
    signatures = hasher.hash_column(column, ngram=2, strip_accents=True)
    codes = []
    for number in range(4):
        upper = (mix(signatures[number]) >> np.uint64(62)).tolist()
        whole = sum(value << 2 * at for at, value in enumerate(upper))
        codes.append(bytes(64) if number == 1 else whole.to_bytes(64, "little"))
    assert sections["codes"] == (b"".join(codes) if code else b"")

    kind, parts = read_object(bytes(store.get(manifest)))
    assert (kind, list(parts)) == (1, ["options", "state", "segments", "removed"])
    assert parts["options"] == sections["options"]
    assert (len(parts["state"]), parts["state"][16:]) == (32, struct.pack("<QQ", 2**64 - 1, 1))
    name = int(segment.removeprefix("key/segment-"), 16).to_bytes(16, "little")
    data = bytes(store.get(segment))
    assert parts["segments"] == name + struct.pack("<QQQ", 4, 1, len(data)) + data[32:40]
    assert parts["removed"] == struct.pack("<Q", 1 << 2)


@pytest.fixture(params=["folder", "memory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, moto: Moto) -> mithril.Storage:
    if request.param == "bucket":
        return mithril.S3Storage(moto.make_bucket(), **moto.options)
    return mithril.MemoryStorage() if request.param == "memory" else mithril.LocalStorage(tmp_path)


def test_damage_names_the_object(store: mithril.Storage) -> None:
    index = MinHashIndex()
    index.add(["some words", "in a row"])
    index.save(store)
    manifest, segment = store.list()
    with pytest.raises(mithril.ObjectNotFoundException):
        MinHashIndex.open(store, "elsewhere")
    for key in (manifest, segment):
        whole = bytes(store.get(key))
        for damaged, message in [
            (whole[:-1], "it is cut"),
            (whole[:20], "it is cut"),
            (whole[:70] + bytes([whole[70] ^ 1]) + whole[71:], "header is damaged"),
            (whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "damaged|something before"),
            (b"PK" + whole[2:], "no part of an index"),
            (whole[:8] + b"\2" + whole[9:], "version 2"),
            (whole + b"x", "follow"),
        ]:
            store.put(key, damaged)
            with pytest.raises(mithril.IndexException, match=message) as error:
                MinHashIndex.open(store)
            assert (error.value.kind, error.value.key) == ("index_damaged", key)
            assert error.value.store == store.url
        store.put(key, whole)
    store.delete(segment)
    with pytest.raises(mithril.IndexException, match="not there"):
        MinHashIndex.open(store)


def test_the_second_of_two_writers_is_told(store: mithril.Storage) -> None:
    one = MinHashIndex()
    one.add(["some words"])
    one.save(store, "index")
    two, three = MinHashIndex.open(store, "index"), pickle.loads(pickle.dumps(one))
    for number, index in enumerate((one, two, three)):
        index.add([f"text {number}"], [100 + number])
    two.save(store, "index")
    for index in (one, three, MinHashIndex()):
        with pytest.raises(mithril.IndexException, match="another writer") as error:
            index.save(store, "index")
        assert (error.value.kind, error.value.key) == ("index_changed", "index/manifest")
    assert MinHashIndex.open(store, "index").ids().tolist() == [0, 101]
    two.remove([0])
    two.compact()
    two.save(store, "index")
    assert len(store.list("index/")) == 2


def test_saving_and_opening_may_be_awaited(store: mithril.Storage) -> None:
    async def main() -> None:
        index = MinHashIndex()
        index.add(["some words"])
        await index.save_async(store, "index")
        opened = await MinHashIndex.open_async(store, "index")
        assert opened.ids().tolist() == [0]
        with pytest.raises(mithril.ObjectNotFoundException):
            await MinHashIndex.open_async(store, "other")

    asyncio.run(main())


def test_what_dead_writers_have_left_is_swept(store: mithril.Storage) -> None:
    index = MinHashIndex()
    index.add(["some words"])
    index.save(store, "index")
    others = [
        "index/segment-" + "0" * 31 + "1/beside",
        "index/segment-short",
        "index/segments",
        "index/segment-" + "A" * 32,
        "other/segment-" + "0" * 32,
    ]
    left = [f"index/segment-{number:032x}" for number in (7, 2**128 - 1)]
    for key in (*others, *left):
        store.put(key, b"")
    before = set(store.list())
    assert MinHashIndex.sweep(store, "index") == 2
    assert set(store.list()) == before - set(left)
    assert asyncio.run(MinHashIndex.sweep_async(store, "index")) == 0
    assert len(MinHashIndex.open(store, "index")) == 1
    with pytest.raises(mithril.ObjectNotFoundException):
        MinHashIndex.sweep(store, "nowhere")


def test_a_folder_is_mapped(tmp_path: Path) -> None:
    index = MinHashIndex()
    index.add([f"text number {number}" for number in range(5000)])
    assert index.stats().mapped_bytes == 0
    index.save(tmp_path, "index")
    opened = MinHashIndex.open(tmp_path, "index")
    assert opened.stats().mapped_bytes > 5000 * 190
    # What is mapped stays, whatever becomes of the files.
    for path in tmp_path.rglob("segment-*"):
        path.unlink()
    assert [match.id for match in opened.query("text number 7", threshold=1)] == [7]


KILLED = """
    import sys
    from mithril import MinHashIndex

    index = MinHashIndex.open(sys.argv[1], "index")
    print("ready", flush=True)
    while True:
        index.add([f"text number {n}" for n in range(300)])
        index.save(sys.argv[1], "index")
        if len(index) % 900 == 1:
            index.compact()
"""


def test_kill_leaves_a_whole_index(tmp_path: Path) -> None:
    index = MinHashIndex()
    index.add(["a text of its own"])
    index.save(tmp_path, "index")
    before = 1
    for number in range(6):
        with started(KILLED, str(tmp_path)) as process:
            assert line(process.stdout) == "ready"
            time.sleep(0.05 + 0.11 * number)
            process.send_signal(signal.SIGKILL)
            process.wait(LIMIT)
        found = MinHashIndex.open(tmp_path, "index")
        assert len(found) >= before
        assert len(found) % 300 == 1
        assert found.query("a text of its own") == [IndexMatch(0, 1.0)]
        before = len(found)
    assert before > 1


LONG = """
    import sys
    import mithril

    said = []
    def progress(phase, done, total):
        if not said and done:
            said.append(phase)
            print("ready", flush=True)

    texts = [f"{n} {n * 7 % 1000} " * 200 for n in range(3000)]
    index = mithril.MinHashIndex(permutations=4096)
    index.add(["some words"])
    try:
        CALL
    except KeyboardInterrupt:
        assert len(index) == 1
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "index.add(texts * 30, progress=progress)",
        "index.query_batch(texts * 30, progress=progress)",
    ],
)
def test_ctrl_c_ends_a_long_call(call: str) -> None:
    with started(LONG.replace("CALL", call)) as process:
        assert line(process.stdout) == "ready"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=LIMIT) == ("interrupted\n", "")


def test_progress_counts_every_document_once() -> None:
    seen: set[tuple[str, int, int]] = set()
    index = MinHashIndex()
    texts = ["some words in a row"] * 40_000
    index.add(texts, progress=lambda *told: seen.add(told))
    assert {(phase, total) for phase, _, total in seen if total} == {("sketching", 40_000)}
    assert max(done for _, done, _ in seen) == 40_000


def test_parent_and_child_go_on_after_a_fork() -> None:
    script = """
        import os, threading, mithril
        index = mithril.MinHashIndex()
        index.add([f"text number {n}" for n in range(5000)])
        done = threading.Event()
        def work():
            number = 10_000
            while not done.is_set():
                index.add(["some words in a row"], [number], threads=2)
                index.query("text number 7")
                number += 1
        threads = [threading.Thread(target=work)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                index.add(["a text of the child"], [1_000_000])
                assert [match.id for match in index.query("a text of the child")] == [1_000_000]
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        for thread in threads:
            thread.join()
        print(1_000_000 in index)
    """
    assert run(script, limit=30) == "False\n"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mithril", "index", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT)


def rows(path: Path, texts: Sequence[str | None], ids: Sequence[int] | None = None) -> Path:
    columns: dict[str, Any] = {"text": texts} if ids is None else {"text": texts, "id": ids}
    pq.write_table(pa.table(columns), path)
    return path


def test_the_command(tmp_path: Path) -> None:
    one = rows(tmp_path / "one.parquet", TEXTS)
    index = tmp_path / "index"
    done = command("build", one, "--index", index, "--key", "corpus")
    assert (done.returncode, done.stderr) == (0, "")
    assert "added           5\n" in done.stdout
    two = rows(tmp_path / "two.parquet", ["a third text", "one text of some words"])
    done = command("add", two, "--index", index, "--key", "corpus", "--json")
    told = json.loads(done.stdout)
    assert (told["added"], told["documents"], told["segments"]) == (2, 7, 2)

    done = command("query", two, "--index", index, "--key", "corpus")
    assert done.stdout == "0\t5\t1.0000\n1\t0\t1.0000\n1\t3\t1.0000\n1\t6\t1.0000\n"
    named = rows(tmp_path / "named.parquet", ["a third text", "nothing like it"], [17, 18])
    done = command(
        "query", named, "--index", index, "--key", "corpus", "--id-column", "id", "--json"
    )
    assert [json.loads(row) for row in done.stdout.splitlines()] == [
        {"row": 0, "id": 17, "matches": [{"id": 5, "similarity": 1.0}]},
        {"row": 1, "id": 18, "matches": []},
    ]
    done = command("query", "--text", "A third text!", "--index", index, "--key", "corpus")
    assert done.stdout == "0\t5\t1.0000\n"
    done = command("stats", "--index", index, "--key", "corpus", "--json")
    told = json.loads(done.stdout)
    assert (told["documents"], told["options"]["threshold"]) == (7, 0.8)
    assert "documents       7\n" in command("stats", "--index", index, "--key", "corpus").stdout


def test_ids_of_a_column(tmp_path: Path) -> None:
    source = rows(tmp_path / "rows.parquet", ["one", "two"], [30, 20])
    done = command("build", source, "--index", tmp_path / "index", "--id-column", "id", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert MinHashIndex.open(tmp_path / "index").ids().tolist() == [20, 30]
    again = command("add", source, "--index", tmp_path / "index", "--id-column", "id")
    assert again.returncode == 2
    assert "row 0: id 30 is in the index already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("build {rows} --index {index}", 1, "an index is there already"),
        ("build {rows} --index {new} --threshold 2", 2, "threshold must be"),
        ("build {rows} --index {new} --text-column body", 2, 'no column "body"'),
        ("build {rows} --index {new} --id-column text", 2, "ids must be integers"),
        ("build nowhere.parquet --index {new}", 1, "no such file"),
        ("add {rows} --index {new}", 1, "no such folder"),
        ("add {rows} --index {index} --key other", 1, "Object not found"),
        ("query --index {index}", 2, "give either files or --text"),
        ("query {rows} --text x --index {index}", 2, "give either files or --text"),
        ("query --text x --index {index} --threshold 3", 2, "threshold must be"),
        ("stats --index {damaged}", 1, "manifest: it is cut"),
    ],
)
def test_wrong_use_of_the_command(tmp_path: Path, arguments: str, code: int, message: str) -> None:
    source = rows(tmp_path / "rows.parquet", ["one", "two"])
    index = MinHashIndex()
    index.save(tmp_path / "index")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest").write_bytes(b"MTHR")
    places = {name: tmp_path / name for name in ("index", "new", "damaged")}
    done = command(*(word.format(rows=source, **places) for word in arguments.split()))
    assert done.returncode == code
    assert done.stderr.startswith("mithril: error: ")
    assert message in done.stderr
