"""Signatures from tokens and from columns."""

from __future__ import annotations

import array
import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from test_dedup import COLUMNS, TEXTS

import mithril
from mithril import MinHasher

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

EMPTY = 2**64 - 1
SCHEMES = ["similarity", "datasketch-affine32", "datasketch-affine64", "datasketch-legacy"]


# From tests_rs/tests/minhash.rs and minhash_datasketch.rs, which say where they are from.
@pytest.mark.parametrize(
    ("scheme", "seed", "tokens", "values"),
    [
        (
            "similarity",
            42,
            [1, 2, 3],
            [0x000290B000000000, 0x0001355880000000, 0x0001873BC0000000, 0x00003558819AF2C8],
        ),
        ("similarity", 0, [5], [0x0001672EC0000000]),
        ("similarity", 42, [], [EMPTY] * 4),
        ("datasketch", 1, [0], [0xB8672F8C, 0xEEBC1448]),
        ("datasketch-affine32", 1, [1], [0x77D7F529, 0xD5C1FCF9]),
        ("datasketch-affine32", 1, range(1000), [0x000E593D, 0x0017BA3A]),
        ("datasketch-affine32", 1, [], [2**32 - 1] * 2),
        ("datasketch-affine64", 1, [], [EMPTY] * 2),
    ],
)
def test_values_are_those_written_down(
    scheme: Any, seed: int, tokens: Any, values: list[int]
) -> None:
    hasher = MinHasher(len(values), seed, scheme=scheme)
    assert hasher.hash_tokens(tokens).tolist() == values
    assert hasher.hash_tokens(np.array(tokens, dtype=np.uint64)).tolist() == values


def test_shingles_of_datasketch_are_hashed_as_bytes() -> None:
    # MinHash(2, seed=1).update(word) for every word.
    words = "to be or not that is the question"
    hasher = MinHasher(2, 1, scheme="datasketch")
    assert hasher.hash_text(words, ngram=1).tolist() == [0x337C0589, 0x1EE57BCD]
    wide = MinHasher(2, 1, scheme="datasketch-affine64")
    assert wide.hash_column([words], ngram=1).tolist() == [[0x40FAF8FD0975EFB7, 0x1153CC9E4E942D9C]]


def is_of_shape(values: npt.NDArray[np.uint64], shape: tuple[int, ...]) -> bool:
    return values.dtype == np.uint64 and values.shape == shape


TOKENS = [5, 1, 2**64 - 1, 7]

SETS: dict[str, Callable[[], Any]] = {
    "list": lambda: TOKENS,
    "tuple": lambda: tuple(TOKENS),
    "generator": lambda: (token for token in TOKENS),
    "scalars of numpy": lambda: [np.uint64(token) for token in TOKENS],
    "numpy": lambda: np.array(TOKENS, dtype=np.uint64),
    "numpy, read-only": lambda: np.frombuffer(np.array(TOKENS, dtype=np.uint64).tobytes(), "u8"),
    "numpy, strided": lambda: np.array([TOKENS, TOKENS], dtype=np.uint64).T.copy()[:, 0],
    "numpy objects": lambda: np.array(TOKENS, dtype=object),
    "array": lambda: array.array("Q", TOKENS),
    "memoryview": lambda: memoryview(array.array("Q", TOKENS)),
}


@pytest.mark.parametrize("name", SETS)
def test_every_kind_of_tokens_gives_the_same(name: str) -> None:
    hasher = MinHasher(32)
    expected = hasher.hash_tokens(TOKENS)
    values = hasher.hash_tokens(SETS[name]())
    assert is_of_shape(values, (32,))
    np.testing.assert_array_equal(values, expected)
    rows = hasher.hash_tokens(SETS[name](), [0, 1, 1, 4])
    assert is_of_shape(rows, (3, 32))
    np.testing.assert_array_equal(rows[0], hasher.hash_tokens(TOKENS[:1]))
    np.testing.assert_array_equal(rows[1], hasher.hash_tokens([]))
    np.testing.assert_array_equal(rows[2], hasher.hash_tokens(TOKENS[1:]))


@pytest.mark.parametrize("kind", ["int8", "int32", "int64", "uint8", "uint64"])
def test_offsets_may_be_any_integers(kind: str) -> None:
    hasher, offsets = MinHasher(8), np.array([1, 1, 4, 4], dtype=kind)
    expected = hasher.hash_tokens([[], TOKENS[1:], []])
    np.testing.assert_array_equal(hasher.hash_tokens(TOKENS, offsets), expected)
    np.testing.assert_array_equal(hasher.hash_tokens(TOKENS, offsets[::-1][::-1]), expected)
    assert hasher.hash_tokens(TOKENS, np.array([4], dtype=kind)).shape == (0, 8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rows_may_be_sequences_or_arrays(scheme: Any) -> None:
    hasher = MinHasher(16, scheme=scheme)
    rows = [[1, 2], [], [3, 2**63, 4]]
    expected = np.stack([hasher.hash_tokens(row) for row in rows])
    np.testing.assert_array_equal(hasher.hash_tokens(rows), expected)
    arrays = [np.array(row, dtype=np.uint64) for row in rows]
    np.testing.assert_array_equal(hasher.hash_tokens(arrays), expected)
    square = np.arange(12, dtype=np.uint64).reshape(4, 3)
    expected = np.stack([hasher.hash_tokens(row) for row in square])
    np.testing.assert_array_equal(hasher.hash_tokens(square), expected)
    np.testing.assert_array_equal(hasher.hash_tokens(np.asfortranarray(square)), expected)
    assert hasher.hash_tokens(np.zeros((3, 0), dtype=np.uint64)).shape == (3, 16)


@pytest.mark.parametrize(
    ("tokens", "offsets", "error", "message"),
    [
        ([-1], None, ValueError, r"tokens\[0\] must be between 0 and 2\*\*64 - 1, not -1"),
        ([1, 2**64], None, ValueError, r"tokens\[1\] must be between"),
        ([1, 2.5], None, TypeError, r"tokens\[1\] must be an integer, not float"),
        ([[1], [2, None]], None, TypeError, r"tokens\[1\]\[1\] must be an integer, not NoneType"),
        ([[1], 2], None, TypeError, r"tokens\[1\] must be integers, not int"),
        (["ab"], None, TypeError, r"tokens\[0\]\[0\] must be an integer, not str"),
        (5, None, TypeError, "tokens must be integers, not int"),
        (np.arange(3), None, ValueError, "tokens must be unsigned integers of 64 bits, not int64"),
        (np.arange(3.0), None, ValueError, "not float64"),
        (b"12345678", None, ValueError, "not uint8"),
        (np.arange(3, dtype=">u8"), None, ValueError, "not >u8"),
        (np.zeros((1, 1, 1), dtype=np.uint64), None, ValueError, "one dimension or two, not 3"),
        (np.uint64(5), None, ValueError, "one dimension or two, not 0"),
        ([[1], [2]], [0, 1], ValueError, "tokens must be of one dimension"),
        ([1, 2], [], ValueError, "offsets must be one more than there are rows"),
        ([1, 2], [0, 2, 1], ValueError, "row 1 begins at 2 and ends at 1"),
        ([1, 2], [0, 1, 3], ValueError, "row 1 goes on to 3"),
        ([1, 2], [-1, 2], ValueError, r"offsets\[0\] must be between 0"),
        ([1, 2], np.array([0, -1]), ValueError, r"offsets\[1\] must be at least 0, not -1"),
        ([1, 2], np.array([0.0, 2.0]), ValueError, "offsets must be integers"),
        ([1, 2], np.array([[0, 2]]), ValueError, "offsets must be integers in one dimension"),
        ([1, 2], 2, TypeError, "offsets must be integers, not int"),
    ],
)
def test_what_is_wrong_with_tokens_is_told(
    tokens: Any, offsets: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        MinHasher(4).hash_tokens(tokens, offsets)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column_gives_the_same(name: str, scheme: Any) -> None:
    hasher = MinHasher(32, scheme=scheme)
    values = hasher.hash_column(COLUMNS[name]())
    assert is_of_shape(values, (5, 32))
    expected = np.stack([hasher.hash_text(text or "") for text in TEXTS])
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(values[0], values[3])
    np.testing.assert_array_equal(values[1], hasher.hash_tokens([]))


def test_options_reach_the_shingles() -> None:
    hasher = MinHasher(64)
    texts = ["One two three", "one two three"]
    lower, exact = hasher.hash_column(texts), hasher.hash_column(texts, lowercase=False)
    assert (lower[0] == lower[1]).all()
    assert (exact[0] != exact[1]).any()
    chars = hasher.hash_column(["aaaa"], shingle="chars", ngram=2)
    np.testing.assert_array_equal(chars[0], hasher.hash_text("aa", shingle="chars", ngram=2))
    assert hasher.hash_column([]).shape == (0, 64)


def test_bands_are_shared_by_what_is_alike() -> None:
    hasher = MinHasher()
    assert hasher.banding() == (16, 6)
    hashes = hasher.band_column(TEXTS)
    assert is_of_shape(hashes, (5, 16))
    assert (hashes[0] == hashes[3]).all()
    assert not (hashes[0] == hashes[2]).any()
    for without in (1, 4):
        assert (hashes[without] == EMPTY).all()
    assert len(np.unique(hashes[[0, 2]])) == 32
    bands, rows = hasher.banding(0.5, 0.9)
    assert bands * rows <= 128
    assert hasher.band_column(TEXTS, 0.5, 0.9, ngram=2).shape == (5, bands)


def test_the_number_of_threads_changes_nothing(library_files: list[str]) -> None:
    hasher, column = MinHasher(), pa.array(library_files[:200])
    one = hasher.hash_column(column, threads=1)
    np.testing.assert_array_equal(hasher.hash_column(column, threads=3), one)
    np.testing.assert_array_equal(hasher.hash_column(column), one)
    bands = hasher.band_column(column, threads=1)
    np.testing.assert_array_equal(hasher.band_column(column, threads=3), bands)
    tokens, offsets = np.arange(100_000, dtype=np.uint64), np.arange(0, 100_001, 100)
    rows = hasher.hash_tokens(tokens, offsets, threads=1)
    np.testing.assert_array_equal(hasher.hash_tokens(tokens, offsets, threads=3), rows)


def test_arrays_are_not_copied() -> None:
    hasher = MinHasher(16)
    # Rows of signatures are written where numpy has room for them, ...
    in_place = [hasher.hash_column(TEXTS), hasher.hash_tokens([[1], [2]])]
    # ... and what is small lies over the memory of the engine.
    handed_over = [hasher.band_column(TEXTS, recall=0.9), hasher.hash_tokens([1, 2])]
    for values in in_place + handed_over:
        assert values.flags.writeable
        assert values.flags.c_contiguous
    assert all(values.flags.owndata for values in in_place)
    assert not any(values.flags.owndata for values in handed_over)


def test_similarity_is_estimated() -> None:
    hasher = MinHasher(1024)
    one = hasher.hash_tokens(np.arange(0, 1000, dtype=np.uint64))
    two = hasher.hash_tokens(np.arange(500, 1500, dtype=np.uint64))
    assert MinHasher.similarity(one, two) == pytest.approx(1 / 3, abs=0.06)
    assert MinHasher.similarity(one, two) == (one == two).mean()
    empty = hasher.hash_tokens([])
    assert MinHasher.similarity(empty, empty) == 0
    with pytest.raises(ValueError, match="1024 and of 2 values"):
        MinHasher.similarity(one, [1, 2])
    with pytest.raises(ValueError, match="two must be one signature"):
        MinHasher.similarity(one, [one])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_hasher_is_its_configuration(scheme: Any) -> None:
    hasher = MinHasher(20, 7, scheme=scheme)
    assert (hasher.num_permutations, hasher.seed, hasher.scheme) == (20, 7, scheme)
    assert hasher.kernel in {"portable", "avx2", "avx512", "neon"}
    assert repr(hasher) == f"MinHasher(num_permutations=20, seed=7, scheme={scheme!r})"
    assert eval(repr(hasher)) == hasher  # noqa: S307 - what it is for
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        other = pickle.loads(pickle.dumps(hasher, protocol))
        assert other == hasher
        assert hash(other) == hash(hasher)
        np.testing.assert_array_equal(other.hash_tokens([1]), hasher.hash_tokens([1]))
    assert copy.deepcopy(hasher) == hasher
    others = [MinHasher(21, 7, scheme=scheme), MinHasher(20, 8, scheme=scheme), None]
    assert all(other != hasher for other in others)


def test_datasketch_stands_for_its_default() -> None:
    assert MinHasher(scheme="datasketch") == MinHasher(scheme="datasketch-affine32")
    assert MinHasher(np.int64(128), np.int64(42)) == MinHasher()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_permutations": 0}, "num_permutations must be between 1 and 4096, not 0"),
        ({"num_permutations": 4097}, "num_permutations"),
        ({"num_permutations": -1}, "num_permutations"),
        ({"num_permutations": "many"}, "num_permutations"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 2**32, "scheme": "datasketch"}, "seed must be between 0 and 4294967295"),
        ({"scheme": "minwise"}, "scheme: .*`similarity`"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=message):
        MinHasher(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shingle": "letters"}, "shingle: .*`auto`"),
        ({"ngram": 0}, "ngram"),
        ({"threads": 0}, "threads"),
        ({"lowercase": "no"}, "lowercase"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    for method in (MinHasher().hash_column, MinHasher().band_column):
        with pytest.raises(ValueError, match=message):
            method(["a"], **options)


def test_other_wrong_arguments_are_named() -> None:
    hasher = MinHasher(16)
    wrong: list[dict[str, Any]] = [{"threshold": 0}, {"recall": 1}]
    for options in wrong:
        with pytest.raises(ValueError, match=next(iter(options))):
            hasher.band_column(["a"], **options)
        with pytest.raises(ValueError, match=next(iter(options))):
            hasher.banding(**options)
    with pytest.raises(ValueError, match="permutations"):
        hasher.band_column(["a"], threshold=0.1)
    with pytest.raises(ValueError, match="threads"):
        hasher.hash_tokens([1], threads=0)
    with pytest.raises(TypeError, match="text must be a str, not bytes"):
        hasher.hash_text(b"a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="row 1: expected str or None, not int"):
        hasher.hash_column(["a", 5])
    with pytest.raises(ValueError, match="Int64"):
        hasher.hash_column(pa.array([1, 2]))


def long_column() -> pa.Array:
    texts = [" ".join(str(number * row) for number in range(60)) for row in range(2000)]
    return pa.chunked_array([texts] * 200, pa.string())


def test_other_threads_of_python_go_on_meanwhile_and_ctrl_c_stops() -> None:
    column = long_column()
    ticks = []

    def interrupt() -> None:
        for _ in range(20):
            time.sleep(0.005)
            ticks.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    # By datasketch's scheme it is a matter of minutes.
    thread = threading.Thread(target=interrupt)
    start = time.monotonic()
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        MinHasher(1024, scheme="datasketch").hash_column(column)
    assert time.monotonic() - start < 10
    thread.join()
    assert len(ticks) == 20


def test_numpy_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys, mithril; hasher = mithril.MinHasher();"
        "repr(hasher), hash(hasher); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # what the test is about
def test_a_child_made_by_fork_works_like_its_parent() -> None:
    hasher = MinHasher(16)
    values = hasher.hash_column(TEXTS)
    child = os.fork()
    if child == 0:
        same = (hasher.hash_column(TEXTS) == values).all()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
