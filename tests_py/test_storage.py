"""Stores from Python: verbs, sources, files, and how they are named and pickled."""

from __future__ import annotations

import asyncio
import inspect
import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mithril
from mithril import Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return mithril.MemoryStorage()
    return mithril.LocalStorage(tmp_path / "store")


def test_what_is_put_is_got(store: Storage) -> None:
    store.put("a/b", b"some text")
    assert store.get("a/b") == b"some text"
    assert store.get_opt("a/b") == b"some text"
    assert store.get_opt("a/c") is None
    assert store.get_range("a/b", 5, 100) == b"text"
    assert store.get_ranges("a/b", [(0, 4), (5, 9)]) == [b"some", b"text"]
    assert store.exists("a/b")
    assert store.list("a") == ["a/b"]
    meta = store.head("a/b")
    assert (meta.key, meta.size) == ("a/b", 9)
    assert meta.last_modified.tzinfo is not None
    assert [one.key for one in store.list_objects()] == ["a/b"]
    objects, folders = store.list_folder("a/")
    assert (objects, folders) == (store.list_objects(), [])
    assert store.list_folder() == ([], ["a/"])
    assert store.is_folder("a")
    assert not store.is_folder("a/b")
    store.copy("a/b", "copy")
    store.rename("copy", "moved")
    assert store.list() == ["a/b", "moved"]
    store.delete("moved")
    store.delete("moved")
    assert b"".join(store.get_stream("a/b")) == b"some text"


def test_every_verb_has_a_twin_that_is_a_coroutine_and_takes_the_same() -> None:
    verbs = [name for name in vars(Storage) if f"{name}_async" in vars(Storage)]
    assert len(verbs) == 17
    for name in verbs:
        verb, twin = getattr(Storage, name), getattr(Storage, f"{name}_async")
        assert inspect.iscoroutinefunction(twin)
        assert list(inspect.signature(verb).parameters) == list(inspect.signature(twin).parameters)
        assert f"`{name}`" in (twin.__doc__ or "")


def test_the_twins_do_the_same(store: Storage) -> None:
    async def main() -> None:
        await store.put_async("a/b", b"some text")
        assert await store.get_async("a/b") == b"some text"
        assert await store.get_opt_async("a/c") is None
        assert await store.get_range_async("a/b", 5, 9) == b"text"
        assert await store.get_ranges_async("a/b", [(0, 4)]) == [b"some"]
        assert await store.exists_async("a/b")
        await store.copy_async("a/b", "copy")
        await store.rename_async("copy", "moved")
        assert await store.list_async() == ["a/b", "moved"]
        assert [one.size for one in await store.list_objects_async("m")] == [9]
        assert (await store.head_async("moved")).size == 9
        assert (await store.list_folder_async())[1] == ["a/"]
        assert await store.is_folder_async("a")
        await store.delete_async("moved")
        assert await store.get_many_async(["a/b", "a/b"]) == [b"some text"] * 2
        pieces = [piece async for piece in await store.get_stream_async("a/b")]
        assert b"".join(pieces) == b"some text"

    asyncio.run(main())


def test_many_are_got_in_the_order_of_the_keys(store: Storage) -> None:
    keys = [f"key-{number:03}" for number in range(100)]
    for key in keys:
        store.put(key, key.encode())
    assert store.get_many(reversed(keys)) == [key.encode() for key in reversed(keys)]
    with pytest.raises(mithril.ObjectNotFoundException) as missing:
        store.get_many(["key-000", "none", "key-001"])
    assert missing.value.key == "none"
    found = store.get_many(["key-000", "none"], return_exceptions=True)
    assert found[0] == b"key-000"
    assert isinstance(found[1], FileNotFoundError)


def sources(folder: Path) -> Iterator[Any]:
    path = folder / "source"
    path.write_bytes(b"abcdef")
    yield from (b"abcdef", bytearray(b"abcdef"), memoryview(b"_abcdef_")[1:-1], path)
    yield mithril.Bytes(b"abcdef")
    yield np.frombuffer(b"abcdef", "uint16")
    yield np.frombuffer(b"aXbXcXdXeXfX", "uint8")[::2]
    yield io.BytesIO(b"abcdef")
    with path.open("rb") as file:
        yield file
    yield [b"abc", bytearray(b"def")]
    yield (bytes([byte]) for byte in b"abcdef")


def test_whatever_holds_or_gives_bytes_can_be_put(store: Storage, tmp_path: Path) -> None:
    for number, source in enumerate(sources(tmp_path)):
        store.put(f"put-{number}", source)
    for number, source in enumerate(sources(tmp_path)):
        store.put_stream(f"stream-{number}", source)

    async def main() -> None:
        for number, source in enumerate(sources(tmp_path)):
            await store.put_async(f"async-{number}", source)

        async def pieces() -> AsyncIterator[bytes]:
            for byte in b"abcdef":
                await asyncio.sleep(0)
                yield bytes([byte])

        await store.put_async("async-pieces", pieces())
        await store.put_stream_async("stream-pieces", pieces())

    asyncio.run(main())
    keys = store.list()
    assert len(keys) == 3 * 11 + 2
    assert set(store.get_many(keys)) == {b"abcdef"}


@pytest.mark.parametrize("wrong", ["text", io.StringIO("text"), 7, None, ["text"]])
def test_what_holds_no_bytes_is_refused(store: Storage, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"bytes|buffer"):
        store.put("key", wrong)
    assert not store.exists("key")


def test_a_source_that_fails_leaves_no_object(store: Storage) -> None:
    def fails() -> Iterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    async def fails_later() -> AsyncIterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    store.put("there", b"before")
    for key in ("new", "there"):
        with pytest.raises(ZeroDivisionError):
            store.put(key, fails())
        with pytest.raises(ZeroDivisionError):
            asyncio.run(store.put_async(key, fails_later()))
    assert store.list() == ["there"]
    assert store.get("there") == b"before"


def test_conditions_are_kept(store: Storage) -> None:
    store.put("key", b"one", if_absent=True)
    with pytest.raises(FileExistsError):
        store.put("key", b"two", if_absent=True)
    etag = store.head("key").etag
    store.put("key", b"two", if_match=etag)
    with pytest.raises(mithril.ObjectChangedException):
        store.put("key", b"three", if_match=etag)
    assert store.get("key") == b"two"
    with pytest.raises(ValueError, match="exclude each other"):
        store.put("key", b"", if_absent=True, if_match=etag)
    with pytest.raises(ValueError, match="not in pieces"):
        store.put("key", [b""], if_absent=True)


def test_exceptions_name_the_key_and_the_store_and_survive_pickling(store: Storage) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        store.get("none/there")
    error = missing.value
    assert isinstance(error, mithril.ObjectNotFoundException)
    assert (error.key, error.store, error.kind) == ("none/there", store.url, "not_found")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.key, copy.store, copy.kind) == (
        type(error),
        str(error),
        error.key,
        error.store,
        error.kind,
    )
    with pytest.raises(ValueError, match="key"):
        store.put("../outside", b"")
    store.put("key", b"abc")
    with pytest.raises(ValueError, match="range"):
        store.get_range("key", 4, 5)
    with pytest.raises(OverflowError):
        store.get_range("key", -1, 5)


def test_a_stream_can_be_left_early(store: Storage) -> None:
    store.put("key", b"x" * (8 << 20))
    with store.get_stream("key") as stream:
        assert next(stream)[:1] == b"x"
    with pytest.raises(mithril.ObjectNotFoundException):
        store.get_stream("none")


def test_stores_are_named_by_urls(tmp_path: Path) -> None:
    named: list[tuple[Any, type]] = [
        ("memory://", mithril.MemoryStorage),
        (tmp_path, mithril.LocalStorage),
        (f"file://{tmp_path}", mithril.LocalStorage),
        ("s3://bucket/a/b", mithril.S3Storage),
        ("gs://bucket/a/b", mithril.GcsStorage),
    ]
    for url, kind in named:
        store = mithril.open_store(url)
        assert type(store) is kind
        if kind is not mithril.MemoryStorage:
            assert mithril.open_store(store.url) == store
    for wrong in ("ftp://host", "s3://", ""):
        with pytest.raises(ValueError, match="store URL"):
            mithril.open_store(wrong)
    with pytest.raises(TypeError, match="no option colour; known are: access_key_id"):
        mithril.open_store("s3://bucket", colour=1)
    with pytest.raises(ValueError, match="timeout"):
        mithril.open_store("s3://bucket", timeout=float("nan"))
    with pytest.raises(mithril.StorageException, match="go together"):
        mithril.S3Storage("bucket", access_key_id="id")


def test_equal_configurations_are_one_store(tmp_path: Path) -> None:
    one = mithril.LocalStorage(tmp_path)
    assert mithril.LocalStorage(str(tmp_path)) == one
    assert mithril.LocalStorage(tmp_path)._native is one._native  # noqa: SLF001
    assert mithril.LocalStorage(tmp_path, durable=True) != one
    assert len({one, mithril.LocalStorage(tmp_path)}) == 1
    assert mithril.MemoryStorage() != mithril.MemoryStorage()
    assert one != 1


def test_pickles_are_configurations_without_secrets_in_clear_text() -> None:
    options: dict[str, Any] = {
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "hush",
        "session_token": "whisper",
    }
    store = mithril.S3Storage("bucket", "prefix", **options)
    data = pickle.dumps(store)
    for secret in options.values():
        assert secret.encode() not in data
        assert secret not in repr(store)
    assert pickle.loads(data) == store
    shown = mithril.S3Storage("bucket", pickle_secrets=True, **options)
    assert b"hush" in pickle.dumps(shown)
    assert pickle.loads(pickle.dumps(shown)) == shown


def test_a_file_is_read_at_any_place(store: Storage) -> None:
    content = bytes(range(256)) * 16
    store.put("key", content)
    with store.open("key", buffer_size=100) as file:
        assert file.read(10) == content[:10]
        assert file.seek(-10, io.SEEK_END) == len(content) - 10
        assert file.read() == content[-10:]
        assert file.seek(5) == 5
        out = bytearray(300)
        assert file.readinto(out) == 300
        assert out == content[5:305]
        assert file.tell() == 305
        assert file.seek(1 << 20) == 1 << 20
        assert file.read() == b""
        with pytest.raises(ValueError, match="before the beginning"):
            file.seek(-1)
    with pytest.raises(FileNotFoundError):
        store.open("none")
    with pytest.raises(ValueError, match="mode"):
        store.open("key", "r")  # type: ignore[call-overload]


def test_a_file_appears_when_it_is_closed_and_not_before(store: Storage) -> None:
    with store.open("key", "wb", buffer_size=4) as file:
        assert file.write(b"ab") == 2
        assert file.write(memoryview(b"cdefghij")[::2]) == 4
        assert file.tell() == 6
        assert not store.exists("key")
    assert store.get("key") == b"abcegi"
    with pytest.raises(ZeroDivisionError), store.open("key", "wb") as file:  # noqa: PT012 - a block
        file.write(b"half")
        raise ZeroDivisionError
    file = store.open("key", "wb")
    file.write(b"half")
    file.discard()
    file = store.open("key", "wb")
    file.write(b"half")
    del file
    assert store.get("key") == b"abcegi"


def test_numpy_pyarrow_and_pandas_read_and_write_such_files(store: Storage) -> None:
    with store.open("array", "wb") as file:
        np.save(file, np.arange(1000))
    with store.open("array") as file:
        assert np.load(file).sum() == 499500
    table = pa.table({"text": ["one", "two"]})
    with store.open("table", "wb") as file:
        pq.write_table(table, file)
    with store.open("table") as file:
        assert pq.read_table(file).equals(table)
    with store.open("table") as file:
        assert pd.read_parquet(file)["text"].tolist() == ["one", "two"]
    assert pq.read_table(pa.BufferReader(pa.py_buffer(store.get("table")))).equals(table)
