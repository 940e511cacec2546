"""The content-addressed store from Python."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import io
import json
import pickle
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

import mithril
from mithril import ContentAddressedStore, DType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

NOWHERE = "00" * 32


@pytest.fixture(params=["memory", "folder"])
def cas(request: pytest.FixtureRequest, tmp_path: Path) -> ContentAddressedStore:
    if request.param == "memory":
        return ContentAddressedStore(mithril.MemoryStorage())
    return ContentAddressedStore(tmp_path / "store")


def test_each_content_is_there_once_however_often_it_is_stored(cas: ContentAddressedStore) -> None:
    address = cas.store(b"some text")
    assert cas.store(b"some text") == address
    assert cas.retrieve(address) == b"some text"
    assert cas.contains(address)
    assert cas.references(address) == 2
    assert cas.list() == [address]
    assert cas.stats() == mithril.CasStats(1, 9, 9)
    cas.delete(address)
    assert cas.contains(address)
    cas.delete(address)
    assert not cas.contains(address)
    assert cas.references(address) == 0
    assert cas.stats() == mithril.CasStats(0, 0, 0)
    again = cas.store(b"some text")
    cas.set_references(again, 5)
    assert cas.references(again) == 5
    cas.set_references(again, 0)
    assert cas.list() == []


def test_addresses_are_what_hashlib_says() -> None:
    cas = ContentAddressedStore("memory://", hash="sha256")
    for data in (b"", b"a", b"x" * 100_000):
        assert cas.store(data) == hashlib.sha256(data).hexdigest()


# From b3sum and xxhsum.
EMPTY = {
    "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "xxh3": "99aa06d3014798d86001c324468d497f",
    "xxh64": "ef46db3751d8e999",
}


@pytest.mark.parametrize("hash_name", EMPTY)
def test_every_hash_has_the_addresses_of_its_command(hash_name: Any) -> None:
    cas = ContentAddressedStore("memory://", hash=hash_name)
    assert cas.store(b"") == EMPTY[hash_name]
    assert cas.retrieve(cas.store(b"text")) == b"text"
    assert cas.store([b"te", b"xt"]) == cas.store(b"text")
    assert cas.hash == hash_name


@pytest.mark.parametrize("level", ["fastest", "best", 3, "default"])
@pytest.mark.parametrize("compressor", ["zstd", "lz4", "adaptive", None])
def test_contents_are_stored_smaller_and_stay_readable(
    compressor: Any, level: Any, tmp_path: Path
) -> None:
    if level != "default" and compressor in {"adaptive", None}:
        with pytest.raises(ValueError, match=r"level: .* has no levels"):
            ContentAddressedStore(tmp_path, compressor=compressor, level=level)
        return
    cas = ContentAddressedStore(tmp_path, compressor=compressor, level=level)
    data = b"checkpoint " * 10_000
    address = cas.store(data)
    assert (cas.stats().total_bytes < len(data) / 50) == (compressor is not None)
    for reader in (cas, ContentAddressedStore(tmp_path)):
        assert reader.retrieve(address) == data
        assert b"".join(reader.retrieve_stream(address)) == data
    assert (cas.compressor, cas.level) == (compressor, level)


def test_every_verb_has_a_twin_that_is_a_coroutine_and_takes_the_same() -> None:
    names = {name for name in vars(ContentAddressedStore) if not name.startswith("_")}
    verbs = {name for name in names if f"{name}_async" in names}
    properties = {"storage", "url", "hash", "compressor", "level"}
    assert names - properties == verbs | {f"{name}_async" for name in verbs}
    assert len(verbs) == 16
    for name in verbs:
        verb = getattr(ContentAddressedStore, name)
        twin = getattr(ContentAddressedStore, f"{name}_async")
        assert inspect.iscoroutinefunction(twin)
        assert list(inspect.signature(verb).parameters) == list(inspect.signature(twin).parameters)
        assert f"`{name}`" in (twin.__doc__ or "")


def test_the_twins_do_the_same(cas: ContentAddressedStore) -> None:
    async def main() -> None:
        address = await cas.store_async(b"some text")
        assert await cas.store_stream_async([b"some ", b"text"]) == address
        assert await cas.retrieve_async(address) == b"some text"
        assert [bytes(piece) async for piece in await cas.retrieve_stream_async(address)]
        assert await cas.contains_async(address)
        assert await cas.references_async(address) == 2
        await cas.set_references_async(address, 1)
        assert await cas.list_async() == [address]
        assert (await cas.stats_async()).total_objects == 1
        assert (await cas.verify_async()).checked == 1
        assert (await cas.repair_async()).swept_objects == 0
        await cas.delete_async(address)
        with pytest.raises(mithril.ContentNotFoundException):
            await cas.retrieve_async(address)
        addresses = await cas.store_many_async([b"one", b"two"])
        assert await cas.retrieve_many_async(addresses) == [b"one", b"two"]
        array = await cas.store_array_async(np.arange(3))
        assert (await cas.retrieve_array_async(array)).tolist() == [0, 1, 2]
        many = await asyncio.gather(*(cas.store_async(bytes([byte]) * 50_000) for byte in range(9)))
        assert len(set(many)) == 9

    asyncio.run(main())


def sources(folder: Path) -> Iterator[Any]:
    path = folder / "source"
    path.write_bytes(b"abcdef")
    yield from (b"abcdef", bytearray(b"abcdef"), memoryview(b"_abcdef_")[1:-1], path)
    yield mithril.Bytes(b"abcdef")
    yield np.frombuffer(b"abcdef", "uint16")
    yield io.BytesIO(b"abcdef")
    with path.open("rb") as file:
        yield file
    yield [b"abc", bytearray(b"def")]
    yield (bytes([byte]) for byte in b"abcdef")


def test_whatever_holds_or_gives_bytes_has_the_same_address(
    cas: ContentAddressedStore, tmp_path: Path
) -> None:
    address = cas.store(b"abcdef")
    assert {cas.store(source) for source in sources(tmp_path)} == {address}
    assert {cas.store_stream(source) for source in sources(tmp_path)} == {address}

    async def pieces() -> AsyncIterator[bytes]:
        for byte in b"abcdef":
            await asyncio.sleep(0)
            yield bytes([byte])

    async def main() -> None:
        assert await cas.store_async(pieces()) == address
        assert await cas.store_stream_async(pieces()) == address

    asyncio.run(main())
    assert cas.references(address) == 23
    assert cas.stats().total_objects == 1
    with pytest.raises(TypeError, match="not str"):
        cas.store("abcdef")  # type: ignore[arg-type]


def test_a_source_that_fails_leaves_nothing(cas: ContentAddressedStore) -> None:
    def fails() -> Iterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cas.store(fails())
    assert cas.list() == []
    cas.repair(exclusive=True)
    assert cas.storage.list() == []


def test_a_stream_can_be_left_early(cas: ContentAddressedStore) -> None:
    address = cas.store(b"x" * (8 << 20))
    with cas.retrieve_stream(address) as stream:
        assert next(stream)[:1] == b"x"
    with pytest.raises(mithril.ContentNotFoundException):
        cas.retrieve_stream(NOWHERE)


def test_many_are_stored_and_got_in_their_order(cas: ContentAddressedStore) -> None:
    contents = [f"{number % 70}".encode() * 10 for number in range(100)]
    addresses = cas.store_many(iter(contents), concurrency=8)
    assert addresses == [cas.store(content) for content in contents]
    assert cas.references(addresses[0]) == 4
    assert cas.retrieve_many(addresses) == contents
    assert cas.store_many([]) == []
    with pytest.raises(mithril.ContentNotFoundException) as missing:
        cas.retrieve_many([addresses[0], NOWHERE])
    assert missing.value.key == NOWHERE
    found = cas.retrieve_many([addresses[0], NOWHERE], return_exceptions=True)
    assert found[0] == contents[0]
    assert isinstance(found[1], FileNotFoundError)
    with pytest.raises(TypeError, match="buffer protocol"):
        cas.store_many([b"", 7])  # type: ignore[list-item]
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="concurrency"):
            cas.store_many([], concurrency=wrong)


def test_exceptions_name_the_address_and_the_store(cas: ContentAddressedStore) -> None:
    calls: list[Any] = [cas.retrieve, cas.delete, cas.retrieve_array, cas.retrieve_stream]
    for call in calls:
        with pytest.raises(FileNotFoundError) as missing:
            call(NOWHERE)
        error = missing.value
        assert isinstance(error, mithril.ContentNotFoundException)
        assert (error.key, error.store, error.kind) == (NOWHERE, cas.url, "not_found")
    for wrong in ("", "zz" * 32, NOWHERE[2:], NOWHERE.replace("0", "A"), "../" * 20, "\0" * 64):
        with pytest.raises(mithril.InvalidAddressException, match="no address of this store"):
            cas.contains(wrong)
    with pytest.raises(OverflowError):
        cas.set_references(NOWHERE, -1)


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    cas = ContentAddressedStore(tmp_path)
    address, whole = cas.store(b"some text"), cas.store(b"other text")
    (key,) = cas.storage.list(f"objects/{address[:2]}/{address}")
    cas.storage.put(key, b"same text")
    with pytest.raises(mithril.CasException, match="damaged") as damaged:
        cas.retrieve(address)
    assert (damaged.value.key, damaged.value.kind) == (address, "damaged")
    with pytest.raises(mithril.CasException, match="damaged"):
        b"".join(cas.retrieve_stream(address))
    report = cas.verify()
    assert (report.checked, report.bytes) == (2, 10)
    assert [one.address for one in report.damaged] == [address]
    assert address in report._repr_html_()
    assert cas.verify(0.0).checked == 0
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="share"):
            cas.verify(wrong)
    repaired = cas.repair(discard_damaged=True)
    assert [one.address for one in repaired.damaged] == [address]
    assert repaired.swept_objects == 1
    assert "swept" in repaired._repr_html_()
    assert cas.list() == [whole]


def test_lost_records_are_rebuilt(tmp_path: Path) -> None:
    cas = ContentAddressedStore(tmp_path)
    address = cas.store(b"some text")
    for key in cas.storage.list("references/"):
        cas.storage.delete(key)
    assert cas.repair(keep_unreferenced=True).rebuilt == (address,)
    assert cas.retrieve(address) == b"some text"
    for key in cas.storage.list("references/"):
        cas.storage.put(key, b"\xffnonsense")
    with pytest.raises(mithril.CasException, match="repair") as damaged:
        cas.stats()
    assert damaged.value.key == address
    assert cas.repair().rebuilt == (address,)


def test_a_stats_report_is_one_of_numbers_and_for_notebooks() -> None:
    cas = ContentAddressedStore("memory://")
    cas.store_many([b"some text"] * 3)
    assert repr(cas.stats()) == ("CasStats(total_objects=1, total_bytes=9, deduplicated_bytes=18)")
    assert "18 B" in cas.stats()._repr_html_()


def test_stores_are_their_configuration(tmp_path: Path) -> None:
    one = ContentAddressedStore(tmp_path, "sha256", "zstd", 9)
    assert ContentAddressedStore(mithril.LocalStorage(tmp_path), "sha256", "zstd", 9) == one
    assert len({one, ContentAddressedStore(str(tmp_path), "sha256", "zstd", 9)}) == 1
    for other in (
        ContentAddressedStore(tmp_path / "other", "sha256", "zstd", 9),
        ContentAddressedStore(tmp_path, "blake3", "zstd", 9),
        ContentAddressedStore(tmp_path, "sha256", "lz4", 9),
        ContentAddressedStore(tmp_path, "sha256", "zstd", 8),
    ):
        assert other != one
    assert one != 1
    address = one.store(b"some text")
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one
    assert copy.retrieve(address) == b"some text"
    url = one.url
    assert repr(one) == (
        f"ContentAddressedStore({url!r}, hash='sha256', compressor='zstd', level=9)"
    )
    assert repr(ContentAddressedStore("memory://")) == (
        "ContentAddressedStore('memory://', hash='blake3')"
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"hash": "md5"}, "hash: .*md5.*blake3"),
        ({"hash": None}, "hash"),
        ({"compressor": "gzip"}, "compressor: .*gzip.*zstd"),
        ({"compressor": "zstd", "level": "slow"}, "level: .*fastest"),
        ({"compressor": "zstd", "level": 1 << 40}, "level: .*fastest"),
        ({"compressor": "zstd", "level": 1.5}, "level: .*fastest"),
    ],
)
def test_wrong_settings_are_named(wrong: Any, text: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=text):
        ContentAddressedStore("memory://", **wrong)
    with pytest.raises(ValueError, match="store or its URL"):
        ContentAddressedStore(7)  # type: ignore[arg-type]


def test_another_hash_is_refused_instead_of_found_missing(tmp_path: Path) -> None:
    address = ContentAddressedStore(tmp_path, "sha256").store(b"some text")
    with pytest.raises(mithril.InvalidAddressException, match="stored by sha256"):
        ContentAddressedStore(tmp_path, "blake3").retrieve(address)


ARRAYS: list[Any] = [
    np.arange(12, dtype="float32").reshape(3, 4),
    np.arange(12, dtype="int64").reshape(3, 4).T,
    np.arange(24, dtype="uint16").reshape(2, 3, 4)[:, ::2, ::-1],
    np.array([True, False]),
    np.array(7.5),
    np.empty((0, 3), "int8"),
    np.empty((3, 0, 2), ml_dtypes.bfloat16),
    np.array([1.5, -2, np.inf], ml_dtypes.bfloat16),
    np.array(2.5, ml_dtypes.bfloat16),
    np.arange(6, dtype=ml_dtypes.bfloat16).reshape(2, 3).T,
    np.float64(3.25),
    [[1, 2], [3, 4]],
]


@pytest.mark.parametrize("compressor", [None, "zstd", "adaptive"])
@pytest.mark.parametrize("number", range(len(ARRAYS)))
def test_arrays_keep_type_and_shape(number: int, compressor: Any) -> None:
    cas = ContentAddressedStore("memory://", compressor=compressor)
    array = np.asarray(ARRAYS[number])
    back = cas.retrieve_array(cas.store_array(ARRAYS[number]))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert not back.flags.writeable
    assert back.flags.c_contiguous
    assert back.flags.aligned
    assert cas.store_array(np.array(array)) == cas.store_array(array)


@settings(deadline=None, max_examples=50)
@given(
    st_numpy.arrays(
        st.sampled_from([one.value for one in DType if one is not DType.BFLOAT16]),
        st_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
    )
)
def test_any_array_comes_back(array: Any) -> None:
    cas = ContentAddressedStore("memory://")
    back = cas.retrieve_array(cas.store_array(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


def test_an_array_lies_in_the_memory_that_it_arrived_in() -> None:
    cas = ContentAddressedStore(mithril.MemoryStorage())
    address = cas.store_array(np.arange(1000))
    one, two = cas.retrieve_array(address), cas.retrieve_array(address)
    assert np.shares_memory(one, two)
    content = np.frombuffer(memoryview(cas.retrieve(address)), "uint8")
    assert np.shares_memory(one, content)
    data = mithril.numpy_to_bytes(one)
    assert np.shares_memory(np.frombuffer(memoryview(data), "uint8"), one)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (np.array(["text"]), "none of the types"),
        (np.array([None]), "none of the types"),
        (np.array([1], "datetime64[s]"), "none of the types"),
        (np.array([1], ">f4"), "byte order of other machines"),
        (np.zeros(2, [("a", "f4")]), "none of the types"),
        (np.zeros(2, "complex64"), "none of the types"),
    ],
)
def test_arrays_of_other_types_are_refused(wrong: Any, text: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=text):
        ContentAddressedStore("memory://").store_array(wrong)


def framed(header: object, data: bytes = b"", *, version: int = 1, length: int = -1) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length < 0 else length
    return b"mithril\0" + struct.pack("<II", version, length) + text + data


def meta(shape: Any = (2,), dtype: str = "UInt8", size: int = 2) -> dict[str, object]:
    return {"name": "", "shape": shape, "dtype": dtype, "size_bytes": size}


def test_parent_and_child_share_a_store_after_a_fork(tmp_path: Path) -> None:
    program = f"""
import os, mithril
cas = mithril.ContentAddressedStore({str(tmp_path)!r}, compressor="zstd")
data = b"some text" * 20_000
address = cas.store(data)
child = os.fork()
assert cas.store(data) == address
assert cas.retrieve(address) == data
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(cas.references(address))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"3\n", b"")


def test_the_format_is_that_of_the_documentation() -> None:
    cas = ContentAddressedStore("memory://")
    content = cas.retrieve(cas.store_array(np.array([[1, 2]], "uint8")))
    assert content[:8] == b"mithril\0"
    version, length = struct.unpack("<II", content[8:16])
    assert (version, (16 + length) % 64) == (1, 0)
    assert json.loads(content[16 : 16 + length].decode()) == meta([1, 2])
    assert content[16 + length :] == b"\1\2"
    back = cas.retrieve_array(cas.store(framed(meta(), b"\1\2")))
    assert back.tolist() == [1, 2]


HUGE = 1 << 62


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no header"),
        (b"mithril\0", "no header"),
        (b"x" * 100, "does not begin"),
        (framed(meta(), b"\1\2", version=2), "version 2"),
        (framed(meta(), b"\1\2", length=0xFFFFFFFF), "claims 4294967295 bytes"),
        (framed(meta(), b"\1\2", length=1000), "claims 1000 bytes"),
        (framed(meta(), b"\1\2", length=0), "cannot be read"),
        (framed(b" " * 70_000), "claims 70000 bytes"),
        (framed(b"[1]"), "cannot be read"),
        (framed(b"\xff\xfe"), "cannot be read"),
        (framed(b"[" * 60_000), "cannot be read"),
        (framed(meta(dtype="Object"), b"\1\2"), "cannot be read"),
        (framed(meta(shape=[-1]), b"\1\2"), "cannot be read"),
        (framed(meta(shape=[2.5]), b"\1\2"), "cannot be read"),
        (framed(meta(shape=[1 << 70]), b"\1\2"), "cannot be read"),
        (framed(meta(), b"\1"), "claims 2 bytes, and 1"),
        (framed(meta(), b"\1\2\3"), "claims 2 bytes, and 3"),
        (framed(meta(size=3), b"\1\2\3"), "claims 2 bytes, and 3"),
        (framed(meta(shape=[HUGE, HUGE], size=0)), "claims 18446744073709551615"),
        (framed(meta(shape=[0, HUGE, HUGE], size=0)), "claims the shape"),
        (framed(meta(shape=[0, HUGE], dtype="Float64", size=0)), "claims the shape"),
        (framed(meta(shape=[1] * 65, size=1), b"\1"), "65 dimensions"),
    ],
)
def test_contents_that_are_no_arrays_are_refused(content: bytes, text: str) -> None:
    cas = ContentAddressedStore("memory://")
    address = cas.store(content)
    with pytest.raises(mithril.CasException, match=text) as refused:
        cas.retrieve_array(address)
    assert (refused.value.key, refused.value.kind) == (address, "not_a_tensor")


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
def test_a_damaged_header_is_an_error_or_an_array(at: int, byte: int, cut: int) -> None:
    cas = ContentAddressedStore("memory://")
    content = bytearray(cas.retrieve(cas.store_array(np.arange(10, dtype="int16"))))
    content[at % len(content)] = byte
    address = cas.store(bytes(content[: len(content) - cut % 3]))
    array, refused = None, None
    try:
        array = cas.retrieve_array(address)
    except mithril.CasException as error:
        refused = error.kind
    assert (refused == "not_a_tensor") if array is None else array.nbytes == 20
