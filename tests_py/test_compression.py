"""Compressors beside the packages of the standard library, and what they refuse."""

from __future__ import annotations

import asyncio
import io
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mithril

if TYPE_CHECKING:
    from mithril.buffer import BytesLike
    from mithril.compression import Compressor

COMPRESSORS: list[Compressor] = [
    mithril.ZstdCompressor(),
    mithril.ZstdCompressor("fastest", checksum=False),
    mithril.Lz4Compressor("best"),
    mithril.AdaptiveCompressor(),
    mithril.AdaptiveCompressor("float32"),
]
TEXT = b"the quick brown fox jumps over the lazy dog; " * 4000


@pytest.fixture(params=COMPRESSORS, ids=repr)
def compressor(request: pytest.FixtureRequest) -> Compressor:
    found: Compressor = request.param
    return found


@given(st.binary(max_size=3000) | st.integers(0, 300_000).map(bytes))
def test_what_was_compressed_comes_back(data: bytes) -> None:
    for one in COMPRESSORS:
        frame = one.compress(data)
        assert one.decompress(frame) == data
        assert one.decompress(bytearray(frame)) == data
        assert one.decompress(one.compress(bytearray(data))) == data


def test_frames_are_those_that_others_read_and_write() -> None:
    for name, ours in (("zstd", mithril.ZstdCompressor()), ("lz4", mithril.Lz4Compressor())):
        theirs = pa.Codec(name)
        assert theirs.decompress(ours.compress(TEXT), len(TEXT)).to_pybytes() == TEXT
        assert ours.decompress(theirs.compress(TEXT)) == TEXT


def test_every_kind_of_buffer_goes_in_and_bytes_come_out(compressor: Compressor) -> None:
    array = np.arange(6000, dtype="int32").reshape(60, 100)
    views: list[Any] = [array, array.T, array[::2], memoryview(TEXT), mithril.Bytes(TEXT)]
    for view in views:
        frame = compressor.compress(view)
        assert type(frame) is mithril.Bytes
        assert compressor.decompress(frame) == mithril.Bytes(view)
    with pytest.raises(TypeError, match="not str"):
        compressor.compress("text")  # type: ignore[arg-type]


def test_many_are_done_in_their_order(compressor: Compressor) -> None:
    items: list[BytesLike] = [TEXT[:n] for n in range(0, 20_000, 700)]
    frames = compressor.compress_many(items)
    assert frames == [compressor.compress(item) for item in items]
    assert compressor.decompress_many(frames) == items
    broken: list[Any] = [*frames[:5], b"nothing of the kind", *frames[5:]]
    with pytest.raises(mithril.CompressionException) as problem:
        compressor.decompress_many(broken)
    assert problem.value.__notes__ == [f"item 5 of {len(broken)}"]
    with pytest.raises(mithril.CompressionException, match="limit of 700 bytes"):
        compressor.decompress_many(frames, max_output_size=700)


def test_coroutines_do_the_same(compressor: Compressor) -> None:
    async def main() -> None:
        frames = await asyncio.gather(*(compressor.compress_async(TEXT[n:]) for n in range(20)))
        assert frames == [compressor.compress(TEXT[n:]) for n in range(20)]
        for n, frame in enumerate(frames):
            assert await compressor.decompress_async(frame) == TEXT[n:]
        assert await compressor.decompress_many_async(frames) == [TEXT[n:] for n in range(20)]
        assert await compressor.compress_many_async([TEXT]) == [frames[0]]
        with pytest.raises(mithril.CompressionException):
            await compressor.decompress_async(frames[0], max_output_size=10)
        given_up = asyncio.ensure_future(compressor.compress_async(TEXT * 100))
        await asyncio.sleep(0)
        given_up.cancel()
        # It may have been over before.
        await asyncio.wait([given_up])
        assert given_up.cancelled() or given_up.result()
        # On the loop's own thread, and with the loop running.
        assert compressor.decompress(frames[3]) == TEXT[3:]

    asyncio.run(main())


def test_damaged_data_is_an_error_that_says_how(compressor: Compressor) -> None:
    frame = bytes(compressor.compress(TEXT))
    for cut in (0, 1, 5, len(frame) // 2, len(frame) - 1):
        with pytest.raises(mithril.CompressionException) as problem:
            compressor.decompress(frame[:cut])
        if cut:
            assert problem.value.kind == "truncated"
    with pytest.raises(mithril.CompressionException):
        compressor.decompress(frame + b"more")
    with pytest.raises(mithril.CompressionException, match="limit of 100 bytes") as problem:
        compressor.decompress(frame, max_output_size=100)
    assert problem.value.kind == "output_too_large"
    assert compressor.decompress(frame, max_output_size=len(TEXT)) == TEXT
    copy = pickle.loads(pickle.dumps(problem.value))
    assert (str(copy), copy.kind) == (str(problem.value), "output_too_large")


def test_limits_hold_for_memory_and_files() -> None:
    limited = [
        mithril.ZstdCompressor(max_output_size=1000),
        mithril.Lz4Compressor(max_output_size=1000),
        mithril.AdaptiveCompressor(max_output_size=1000),
    ]
    for one in limited:
        frame = one.compress(bytes(1001))
        with pytest.raises(mithril.CompressionException, match="limit of 1000 bytes"):
            one.decompress(frame)
        file = one.open_reader(io.BytesIO(frame))
        with pytest.raises(mithril.CompressionException, match="limit of 1000 bytes"):
            file.read()
        assert one.decompress(one.compress(bytes(1000))) == bytes(1000)
    wide = mithril.ZstdCompressor(19)
    out = io.BytesIO()
    with wide.open_writer(out) as writer:
        writer.write(os.urandom(4 << 20))
    narrow = mithril.ZstdCompressor(max_window_log=20)
    file = narrow.open_reader(io.BytesIO(out.getvalue()))
    with pytest.raises(mithril.CompressionException, match="window"):
        file.read()


def test_small_data_that_grows_large_still_comes_back() -> None:
    bomb = bytes(20_000_000)
    for one in COMPRESSORS:
        frame = one.compress(bomb)
        assert one.decompress(frame) == bomb
        with pytest.raises(mithril.CompressionException, match="limit of 19999999 bytes"):
            one.decompress(frame, max_output_size=len(bomb) - 1)


def test_ratios_are_estimated(compressor: Compressor) -> None:
    assert compressor.estimate_ratio(TEXT) > 5
    assert compressor.estimate_ratio(b"") == 1
    assert 0.9 < compressor.estimate_ratio(np.frombuffer(os.urandom(100_000), "uint8")) <= 1.1
    assert compressor.name in {"zstd", "lz4", "adaptive"}


def test_dictionaries_make_small_objects_smaller() -> None:
    objects = [f'{{"id": {i}, "language": "en", "source": "web"}}'.encode() for i in range(3000)]
    dictionary = mithril.ZstdCompressor.train_dictionary(objects, 2048)
    assert len(dictionary) <= 2048
    with_it = mithril.ZstdCompressor(dictionary=dictionary)
    plain = mithril.ZstdCompressor()
    assert len(with_it.compress(objects[5])) < len(plain.compress(objects[5])) / 2
    assert with_it.dictionary_id is not None
    assert plain.dictionary_id is None
    copy = pickle.loads(pickle.dumps(with_it))
    assert copy == with_it
    assert copy.decompress(with_it.compress(objects[5])) == objects[5]
    with pytest.raises(mithril.CompressionException) as problem:
        plain.decompress(with_it.compress(objects[5]))
    assert problem.value.kind == "wrong_dictionary"
    with pytest.raises(mithril.CompressionException, match="dictionary"):
        mithril.ZstdCompressor(dictionary=b"\x37\xa4\x30\xec\x01\x00\x00\x00\xff\xff")
    with pytest.raises(mithril.CompressionException):
        mithril.ZstdCompressor.train_dictionary([b"a"])


def test_settings_are_checked_pickled_and_compared(compressor: Compressor) -> None:
    copy = pickle.loads(pickle.dumps(compressor))
    assert (copy, hash(copy), repr(copy)) == (compressor, hash(compressor), repr(compressor))
    assert copy.compress(TEXT) == compressor.compress(TEXT)
    assert compressor != 1
    numpy_level: Any = np.int64(5)
    assert mithril.ZstdCompressor(3) != mithril.ZstdCompressor(4)
    assert mithril.ZstdCompressor(level=numpy_level) == mithril.ZstdCompressor(5)
    for wrong in ("quick", 1.5, None, 1 << 40):
        with pytest.raises(ValueError, match="level must be"):
            mithril.ZstdCompressor(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"complex64.*known are: float32"):
        mithril.AdaptiveCompressor("complex64")
    with pytest.raises(ValueError, match=r"max_output_size|u64"):
        mithril.Lz4Compressor(max_output_size=-1)


@pytest.mark.parametrize("size", [0, 1, 1000, 400_000, 20_000_000])
def test_files_hold_what_was_written(compressor: Compressor, size: int) -> None:
    data = (TEXT * (size // len(TEXT) + 1))[:size]
    out = io.BytesIO()
    with compressor.open_writer(out) as file:
        for start in range(0, size, 300_007):
            assert file.write(data[start : start + 300_007]) == len(data[start : start + 300_007])
        assert file.tell() == size
    assert not out.closed
    assert compressor.decompress(out.getvalue()) == data
    with compressor.open_reader(io.BytesIO(compressor.compress(data))) as reader:
        assert reader.read() == data
    with compressor.open_reader(io.BytesIO(out.getvalue())) as reader:
        pieces = list(iter(lambda: reader.read(70_001), b""))
    assert b"".join(pieces) == data


def test_files_pass_on_what_was_flushed(compressor: Compressor) -> None:
    out = io.BytesIO()
    file = compressor.open_writer(out, close_file=True)
    file.write(TEXT)
    file.flush()
    with compressor.open_reader(io.BytesIO(out.getvalue())) as reader:
        assert reader.read(len(TEXT)) == TEXT
    file.close()
    assert out.closed
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"")


def test_a_file_that_was_not_closed_is_refused_as_cut(compressor: Compressor) -> None:
    out = io.BytesIO()
    with pytest.raises(ZeroDivisionError), compressor.open_writer(out) as file:  # noqa: PT012 - a block
        file.write(TEXT)
        file.flush()
        raise ZeroDivisionError
    with pytest.raises(mithril.CompressionException, match="ends inside a frame"):
        compressor.decompress(out.getvalue())
    with compressor.open_reader(out) as reader:
        out.seek(0)
        with pytest.raises(mithril.CompressionException, match="ends inside a frame"):
            reader.read()
        with pytest.raises(RuntimeError, match="failed before"):
            reader.read()
    dropped = io.BytesIO()
    compressor.open_writer(dropped).write(TEXT)
    assert dropped.getvalue() != compressor.compress(TEXT)


def test_what_the_other_file_raises_comes_through(compressor: Compressor) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(size, "the disk is gone")

        def write(self, data: Any, /) -> int:
            raise OSError(len(data), "the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        compressor.open_reader(Broken()).read()
    with pytest.raises(OSError, match="the disk is gone"), compressor.open_writer(Broken()) as file:
        file.write(bytes(40_000_000))

    class Lavish(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            return bytes(size + 1)

    with pytest.raises(TypeError, match="more bytes than were asked for"):
        compressor.open_reader(Lavish()).read()
    with pytest.raises(TypeError, match="not str"):
        compressor.open_reader(io.StringIO("text")).read()  # type: ignore[arg-type]


def test_a_file_that_takes_a_part_at_a_time_gets_all(compressor: Compressor) -> None:
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.taken = bytearray()

        def write(self, data: Any, /) -> int:
            self.taken += data[:1000]
            return min(len(data), 1000)

    slow = Slow()
    with compressor.open_writer(slow) as file:
        file.write(os.urandom(50_000))
    assert len(compressor.decompress(slow.taken)) == 50_000


def test_files_of_stores_are_files(compressor: Compressor) -> None:
    store = mithril.MemoryStorage()
    array: Any = np.arange(1000)
    with store.open("key", "wb") as target, compressor.open_writer(target) as file:
        file.write(TEXT)
        file.write(array)
    with compressor.open_reader(store.open("key")) as reader:
        lines = reader.read()
    assert lines == TEXT + array.tobytes()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117 - blocks within blocks
        with store.open("half", "wb") as target, compressor.open_writer(target) as file:
            file.write(TEXT)
            raise ZeroDivisionError
    assert not store.exists("half")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_compressors_work_on_both_sides_of_a_fork() -> None:
    code = """
import os, mithril
one, data = mithril.AdaptiveCompressor("float32"), os.urandom(3_000_000)
before = one.compress(data)
child = os.fork()
same = one.compress(data) == before and one.decompress_many([before] * 3) == [data] * 3
if not child:
    os._exit(0 if same else 1)
assert same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
