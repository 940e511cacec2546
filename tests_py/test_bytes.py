"""`mithril.Bytes` beside `bytes`."""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mithril
from mithril import Bytes


@given(st.binary(max_size=200), st.slices(200))
def test_they_compare_hash_and_slice_as_bytes_do(data: bytes, part: slice) -> None:
    ours = Bytes(data)
    assert ours == data
    assert data == ours
    assert hash(ours) == hash(data)
    assert len(ours) == len(data)
    assert list(ours) == list(data)
    assert bytes(ours) == data
    assert ours[part] == data[part]
    assert isinstance(ours[part], Bytes)
    assert bool(ours) == bool(data)
    assert ours.hex() == data.hex()


@given(st.binary(max_size=5), st.binary(max_size=5))
def test_their_order_is_that_of_bytes(one: bytes, two: bytes) -> None:
    assert (Bytes(one) < two) == (one < two)
    assert (Bytes(one) >= Bytes(two)) == (one >= two)
    assert (Bytes(one) != bytearray(two)) == (one != two)
    assert (two in Bytes(one)) == (two in one)
    assert Bytes(one) + two == one + two
    assert one + Bytes(two) == one + two
    assert b"".join([Bytes(one), Bytes(two)]) == one + two


def test_methods_of_bytes_work() -> None:
    data = Bytes(b"Some text\n")
    assert data.decode() == "Some text\n"
    assert data.upper() == b"SOME TEXT\n"
    assert data.split() == [b"Some", b"text"]
    assert data.startswith(b"Some")
    assert data.hex(" ", 2) == b"Some text\n".hex(" ", 2)
    assert 83 in data
    assert data != "Some text\n"
    assert re.match(rb"(\w+)", data)
    assert struct.unpack("2s", data[:2]) == (b"So",)
    assert data[-1] == 10
    with pytest.raises(IndexError):
        data[10]
    with pytest.raises(TypeError, match="integer or a slice"):
        data["a"]  # type: ignore[call-overload]
    with pytest.raises(AttributeError, match="no attribute 'append'"):
        data.append(1)
    with pytest.raises(UnicodeDecodeError):
        Bytes(b"\xff").decode()


def address_of(data: Any) -> int:
    return np.frombuffer(data, "uint8").ctypes.data


def test_nothing_is_copied_on_the_way_out() -> None:
    data = Bytes(bytes(1000))
    view = memoryview(data)
    assert view.readonly
    address = address_of(data)
    assert address_of(view) == address
    assert address_of(data[10:]) == address + 10
    assert pa.py_buffer(data).address == address
    with pytest.raises(ValueError, match="read-only"):
        np.frombuffer(view, "uint8")[0] = 1
    del data
    assert bytes(view) == bytes(1000)


def test_nothing_is_copied_on_the_way_in_from_bytes() -> None:
    source = bytes(1000)
    address = address_of(source)
    assert address_of(Bytes(source)) == address
    assert address_of(Bytes(memoryview(source)[10:20])) == address + 10
    changing = bytearray(b"abc")
    copy = Bytes(changing)
    changing[0] = 0
    assert copy == b"abc"


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 131_071, 131_072, 131_073, 400_001])
@pytest.mark.parametrize("start", [0, 1, 5])
def test_what_can_change_is_copied_whole_whatever_its_place(size: int, start: int) -> None:
    source = np.random.default_rng(size).integers(0, 256, size + start, "uint8")[start:]
    assert Bytes(source) == source.tobytes()
    assert Bytes(source.tobytes()) == source
    if size:
        other = source.copy()
        other[-1] ^= 1
        assert Bytes(source) != other


def test_arrays_of_any_kind_and_order_are_their_bytes() -> None:
    array = np.arange(24, dtype="int32").reshape(4, 6)
    for view in (array, array.T, array[:, ::2], array[::-1], array[0, 0], array[:0]):
        assert Bytes(view) == view.tobytes()
    times = np.array(["2026-01-01"], "datetime64[s]")
    assert Bytes(times) == times.tobytes()


@pytest.mark.parametrize("wrong", ["text", 7, [1, 2], None, np.array([object()])])
def test_what_has_no_bytes_is_refused(wrong: Any) -> None:
    if wrong is None:
        assert Bytes(wrong) == b""
        return
    with pytest.raises((TypeError, ValueError)):
        Bytes(wrong)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_they_survive_pickling(protocol: int) -> None:
    data = Bytes(b"abc")
    copy = pickle.loads(pickle.dumps(data, protocol))
    assert type(copy) is Bytes
    assert copy == data
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(data, 5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    assert pickle.loads(stream, buffers=buffers) == data


def test_repr_is_short() -> None:
    assert repr(Bytes(b"abc")) == "Bytes(b'abc')"
    assert repr(Bytes(b"x" * 1000)).endswith("... 1000 bytes)")


def test_what_another_thread_writes_meanwhile_is_one_value_or_the_other() -> None:
    """Bytes that change while they are read are copied: old or new, and the copy stays as it is."""
    array = np.zeros(1 << 22, "uint8")
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            array[:] = 1
            array[:] = 0

    writer = threading.Thread(target=write)
    writer.start()
    store = mithril.MemoryStorage()
    zstd = mithril.ZstdCompressor()
    try:
        for _ in range(20):
            data = Bytes(array)
            before = hashlib.sha256(data).digest()
            assert set(np.unique(np.frombuffer(memoryview(data), "uint8"))) <= {0, 1}
            store.put("key", array)
            copy = bytes(store.get("key"))
            assert set(copy) <= {0, 1}
            assert len(mithril.Blake3Hash().hash(array)) == 32
            assert set(bytes(zstd.decompress(zstd.compress(array)))) <= {0, 1}
            mithril.MinHasher(16).hash_column([str(array[0])])
            assert hashlib.sha256(data).digest() == before
            assert store.get("key") == copy
    finally:
        done.set()
        writer.join()
