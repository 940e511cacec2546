"""The index: what it finds on real text, what it takes, and what it refuses."""

from __future__ import annotations

import pickle
import random
import signal
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from oracle import all_pairs
from processes import LIMIT, line, run, started
from test_dedup import COLUMNS

from mithril import MinHashIndex


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
    index, failures = MinHashIndex(shingle="whitespace", ngram=2), []

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
