"""Hashing beside `hashlib`, xxHash's and BLAKE3's own packages, and published values."""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEGIN: dict[str, Callable[..., mithril.Hasher]] = {
    "xxh64": mithril.xxh64,
    "xxh3_64": mithril.xxh3_64,
    "xxh3_128": mithril.xxh3_128,
    "blake3": mithril.blake3,
    "sha256": mithril.sha256,
}
FUNCTIONS = [mithril.XxHash(), mithril.XxHash3(), mithril.Blake3Hash(), mithril.Sha256Hash()]
# Of the empty text and of "abc", as the authors of each publish them.
KNOWN = {
    "xxh64": ("ef46db3751d8e999", "44bc2cf5ad770999"),
    "xxh3_64": ("2d06800538d394c2", "78af5f94892f3950"),
    "xxh3_128": ("99aa06d3014798d86001c324468d497f", "06b05ab6733a618578af5f94892f3950"),
    "blake3": (
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    ),
    "sha256": (hashlib.sha256().hexdigest(), hashlib.sha256(b"abc").hexdigest()),
}


@pytest.mark.parametrize("name", BEGIN)
def test_digests_are_those_published(name: str) -> None:
    empty, abc = KNOWN[name]
    assert BEGIN[name]().hexdigest() == empty
    assert BEGIN[name](b"abc").hexdigest() == abc


@given(st.lists(st.binary(max_size=200), max_size=8), st.sampled_from(list(BEGIN)))
def test_pieces_hash_as_the_whole(pieces: list[bytes], name: str) -> None:
    hasher = BEGIN[name]()
    whole = b""
    for piece in pieces:
        hasher.update(piece)
        whole += piece
        assert hasher.digest() == BEGIN[name](whole).digest()
    assert hasher.hexdigest() == hasher.digest().hex()
    assert mithril.hash_many([whole], name) == [hasher.digest()]
    if name == "sha256":
        assert hasher.digest() == hashlib.sha256(whole).digest()


@pytest.mark.parametrize("name", BEGIN)
def test_hashers_follow_hashlib(name: str, tmp_path: Path) -> None:
    hasher = BEGIN[name](b"con")
    copy = hasher.copy()
    hasher.update(b"tent")
    copy.update(b"trol")
    assert hasher.digest() == BEGIN[name](b"content").digest()
    assert copy.digest() == BEGIN[name](b"control").digest()
    assert len(hasher.digest()) == hasher.digest_size
    assert (hasher.name, name in repr(hasher)) == (name, True)
    # The two places of the standard library that take a hasher of others.
    path = tmp_path / "file"
    path.write_bytes(b"content" * 100_000)
    with path.open("rb") as file:
        assert hashlib.file_digest(file, BEGIN[name]).digest() == (
            BEGIN[name](path.read_bytes()).digest()
        )
    mac = hmac.new(b"key", b"message", BEGIN[name])
    if name == "sha256":
        assert mac.digest() == hmac.digest(b"key", b"message", "sha256")
    with pytest.raises(TypeError, match="does not pickle; pickle the function"):
        pickle.dumps(hasher)


def test_functions_are_configurations() -> None:
    for function in FUNCTIONS:
        copy = pickle.loads(pickle.dumps(function))
        assert copy == function
        assert hash(copy) == hash(function)
        assert (copy.name, repr(copy)) == (function.name, f"{type(function).__name__}()")
        assert copy.hash(b"x") == function.hash(b"x")
        assert len(function.hash(b"x")) == function.output_size
        assert function.hash_hex(b"x") == function.hash(b"x").hex()
        hasher = function.hasher()
        hasher.update(b"x")
        assert hasher.digest() == function.hash(b"x")
    assert FUNCTIONS[0] != FUNCTIONS[1]
    plain = pickle.loads(pickle.dumps(mithril.HashFunction("xxh3_64")))
    assert plain.hash(b"x") == mithril.xxh3_64(b"x").digest()
    for function in (mithril.XxHash(), mithril.Blake3Hash(), mithril.Sha256Hash()):
        assert function.hash_u64(b"x") == int.from_bytes(function.hash(b"x")[:8], "big")
    assert mithril.XxHash3().hash_u64(b"x") == int(mithril.xxh3_64(b"x").hexdigest(), 16)


@pytest.mark.parametrize("size", [0, 1, 2048, 2049, 1_000_000, (16 << 20) + 7])
def test_data_of_every_size_and_kind_hashes_alike(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, "uint8")
    fixed = data.tobytes()
    digest = hashlib.sha256(fixed).digest()
    views: list[Any] = [fixed, bytearray(fixed), data, memoryview(fixed), mithril.Bytes(fixed)]
    for view in views:
        assert mithril.sha256(view).digest() == digest
        assert mithril.Sha256Hash().hash(view) == digest
        for function in FUNCTIONS:
            assert function.hash_u64(view) == function.hash_u64(fixed)
    assert mithril.hash_many(views, "sha256") == [digest] * len(views)
    for name, begin in BEGIN.items():
        stepwise = begin()
        for start in range(0, size, 700_001):
            stepwise.update(data[start : start + 700_001])
        assert stepwise.digest() == begin(fixed).digest(), name


def test_arrays_are_hashed_in_c_order() -> None:
    array = np.arange(24, dtype="float32").reshape(4, 6)
    views: list[Any] = [array, array.T, array[:, ::2], array[::-1], np.float64(7)]
    for view in views:
        assert mithril.blake3(view).digest() == mithril.blake3(view.tobytes()).digest()
    with pytest.raises(TypeError, match="not str"):
        mithril.sha256("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="buffer protocol") as problem:
        mithril.hash_many([b"", 7])  # type: ignore[list-item]
    assert problem.value.__notes__ == ["item 1 of 2"]


def test_threads_may_share_a_hasher() -> None:
    hasher = mithril.sha256()
    piece = bytes(100_000)

    def add() -> None:
        for _ in range(20):
            hasher.update(piece)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hasher.digest() == hashlib.sha256(bytes(8_000_000)).digest()


TEXTS = st.lists(st.none() | st.text(max_size=20), max_size=40)


def expected(rows: list[str | None] | list[bytes | None], name: str, null: int = 0) -> list[int]:
    encoded = [row.encode() if isinstance(row, str) else row for row in rows]
    return [
        null if row is None else int.from_bytes(BEGIN[name](row).digest()[:8], "big")
        for row in encoded
    ]


@given(TEXTS, st.sampled_from(["xxh64", "xxh3_64", "blake3", "sha256"]))
def test_columns_of_every_kind_hash_row_by_row(texts: list[str | None], name: str) -> None:
    wanted = expected(texts, name)
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), "string")]
    columns: list[Any] = [pa.array(texts, kind) for kind in kinds]
    columns += [pa.array([t and t.encode() for t in texts], pa.binary()), texts]
    columns += [
        pl.Series(texts, dtype=pl.String),
        pa.chunked_array([pa.array(texts, "string")] * 2),
    ]
    for column in columns:
        hashes = mithril.hash_column(column, name)
        assert hashes.dtype == np.uint64
        times = 2 if isinstance(column, pa.ChunkedArray) else 1
        assert hashes.tolist() == wanted * times


def test_long_columns_are_hashed_by_all_threads_alike() -> None:
    draw = np.random.default_rng(5)
    texts = ["x" * int(n) for n in draw.geometric(0.02, 30_000)] + ["y" * 3_000_000, None, ""]
    column = pa.array(texts)
    assert mithril.hash_column(column).tolist() == expected(texts, "xxh3_64")
    part = column.slice(29_990)
    assert mithril.hash_column(part, null=7).tolist() == expected(texts[29_990:], "xxh3_64", 7)
    series = pd.Series(texts[:100])
    assert mithril.hash_column(series).tolist() == expected(texts[:100], "xxh3_64")


def test_binary_columns_and_half_characters_hash_by_their_bytes() -> None:
    rows = [b"\xff\xfe", None, b""]
    wanted = expected(rows, "xxh3_64", 9)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        assert mithril.hash_column(pa.array(rows, kind), null=9).tolist() == wanted
    fixed = pa.array([b"abcd", None], pa.binary(4))
    assert mithril.hash_column(fixed).tolist() == expected([b"abcd", None], "xxh3_64")
    assert mithril.hash_column(["a\ud800"])[0] == mithril.XxHash3().hash_u64(b"a\xed\xa0\x80")
    assert mithril.hash_column(pa.nulls(3), null=1).tolist() == [1, 1, 1]
    assert mithril.hash_column(pa.array([], "string")).tolist() == []


def test_what_cannot_be_hashed_says_so() -> None:
    with pytest.raises(ValueError, match="known are: xxh64"):
        mithril.hash_column(["a"], "md5")
    with pytest.raises(ValueError, match="strings or of bytes"):
        mithril.hash_column(pa.array([1, 2]))
    with pytest.raises(ValueError, match="pass the column"):
        mithril.hash_column(pa.table({"text": ["a"]}))
    with pytest.raises(TypeError, match="row 1: expected str, bytes or None, not int"):
        mithril.hash_column(["a", 1])
    with pytest.raises(TypeError, match="a column of strings or bytes"):
        mithril.hash_column("text")
    with pytest.raises(OverflowError):
        mithril.hash_column(["a"], null=-1)


def test_a_column_that_points_outside_of_its_memory_is_refused() -> None:
    offsets = pa.py_buffer(np.array([0, 1 << 30, 3], "int32"))
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc")])
    with pytest.raises(mithril.MithrilException, match="damaged"):
        mithril.hash_column(broken)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_hashing_works_on_both_sides_of_a_fork() -> None:
    code = """
import os, mithril
data = bytes(5_000_000)
before = mithril.Blake3Hash().hash(data)
child = os.fork()
same = mithril.Blake3Hash().hash(data) == before and len(mithril.hash_column(["a"] * 50_000))
if not child:
    os._exit(0 if same else 1)
assert same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
@pytest.mark.parametrize("kind", ["bytes", "bytearray"])
def test_a_signal_stops_a_long_hash_and_its_hasher_says_so(kind: str) -> None:
    code = f"""
import signal, mithril
data = {kind}(64 << 20)
hasher = mithril.sha256(b"before")

def handler(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001)
try:
    while True:
        hasher.update(data)
except KeyboardInterrupt:
    pass
try:
    hasher.digest()
except RuntimeError as error:
    assert "stopped" in str(error)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
