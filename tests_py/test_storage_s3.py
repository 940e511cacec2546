"""Stores from Python against a server of S3."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import KEY_ID, PAGE, SECRET, Moto, free_port

import mithril

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

# The least size of a part that S3 allows.
PART = 5 << 20


@pytest.fixture
def bucket(moto: Moto) -> str:
    return moto.make_bucket()


@pytest.fixture
def store(moto: Moto, bucket: str) -> mithril.S3Storage:
    return mithril.S3Storage(bucket, "below/here", part_size=PART, **moto.options)


def content(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def test_what_is_put_is_got(store: mithril.S3Storage) -> None:
    store.put("a/b", b"some text")
    store.put("a/é", content(100))
    assert store.get("a/b") == b"some text"
    assert store.get_opt("a/c") is None
    assert store.get_range("a/b", 5, 100) == b"text"
    assert store.get_ranges("a/b", [(5, 9), (0, 4)]) == [b"text", b"some"]
    assert store.exists("a/b")
    assert not store.exists("a")
    assert store.list("a") == ["a/b", "a/é"]
    meta = store.head("a/b")
    assert (meta.key, meta.size) == ("a/b", 9)
    assert meta.etag
    assert meta.last_modified.tzinfo is not None
    assert [one.size for one in store.list_objects()] == [9, 100]
    store.copy("a/b", "copy")
    store.rename("copy", "moved")
    assert store.list() == ["a/b", "a/é", "moved"]
    objects, folders = store.list_folder()
    assert ([one.key for one in objects], folders) == (["moved"], ["a/"])
    assert store.is_folder("a")
    assert not store.is_folder("moved")
    store.delete("moved")
    store.delete("moved")
    assert b"".join(store.get_stream("a/b")) == b"some text"


def test_prefixes_are_kept_apart(moto: Moto, bucket: str, store: mithril.S3Storage) -> None:
    whole = mithril.S3Storage(bucket, **moto.options)
    store.put("key", b"below")
    whole.put("key", b"above")
    assert whole.list() == ["below/here/key", "key"]
    assert store.list() == ["key"]
    assert store.get("key") == b"below"
    assert store.url == f"s3://{bucket}/below/here"
    assert mithril.open_store(store.url, **moto.options).get("key") == b"below"


def test_marks_of_folders_are_no_objects(moto: Moto, bucket: str) -> None:
    # An empty object `folder/`, which consoles and other tools write.
    for key in ("empty/", "full/", "full/key"):
        assert moto.request("PUT", f"/{bucket}/{key}")[0] == 200
    store = mithril.S3Storage(bucket, **moto.options)
    assert store.list() == ["full/key"]
    assert store.list("full/") == ["full/key"]
    assert store.list_folder()[1] == ["empty/", "full/"]
    assert store.list_folder("empty/") == ([], [])
    assert [one.key for one in store.list_folder("full/")[0]] == ["full/key"]
    assert store.is_folder("empty")


def test_long_listings_come_in_pages(store: mithril.S3Storage) -> None:
    keys = [f"{number % 2}/{number:05}" for number in range(2 * PAGE + 10)]

    async def main() -> None:
        await asyncio.gather(*[store.put_async(key, b"x") for key in keys])

    asyncio.run(main())
    assert store.list() == sorted(keys)
    assert store.list_folder() == ([], ["0/", "1/"])
    assert len(store.list_folder("1/")[0]) == len(keys) // 2


def test_many_are_got_in_the_order_of_the_keys(store: mithril.S3Storage) -> None:
    keys = [f"key-{number:03}" for number in range(100)]
    for key in keys:
        store.put(key, key.encode())
    expected = [key.encode() for key in reversed(keys)]
    assert store.get_many(reversed(keys)) == expected
    assert asyncio.run(store.get_many_async(reversed(keys), concurrency=3)) == expected
    found = store.get_many(["key-000", "none"], return_exceptions=True)
    assert found[0] == b"key-000"
    assert isinstance(found[1], mithril.ObjectNotFoundException)
    assert (found[1].key, found[1].store) == ("none", store.url)


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 7])
def test_what_is_sent_in_parts_is_whole(
    moto: Moto, bucket: str, store: mithril.S3Storage, tmp_path: Path, size: int
) -> None:
    data = content(size)
    with store.open("file", "wb") as file:
        for start in range(0, size, 1_000_003):
            file.write(data[start : start + 1_000_003])
        assert not store.exists("file")
    store.put_stream("stream", (data[start : start + 700_001] for start in range(0, size, 700_001)))
    path = tmp_path / "source"
    path.write_bytes(data)
    store.put("path", path)

    async def main() -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, size, PART):
                await asyncio.sleep(0)
                yield data[start : start + PART]

        await store.put_async("async", pieces())

    asyncio.run(main())
    for key in ("file", "stream", "path", "async"):
        assert store.get(key) == data
    with store.open("file") as reader:
        assert reader.read() == data
        reader.seek(size // 2)
        assert reader.read() == data[size // 2 :]
    assert b"".join(store.get_stream("stream")) == data
    assert moto.open_uploads(bucket) == 0


def test_an_upload_that_fails_leaves_nothing(store: mithril.S3Storage) -> None:
    def fails() -> Iterator[bytes]:
        yield content(2 * PART)
        raise ZeroDivisionError

    store.put("there", b"before")
    for key in ("new", "there"):
        with pytest.raises(ZeroDivisionError):
            store.put_stream(key, fails())
        with pytest.raises(ZeroDivisionError), store.open(key, "wb") as file:  # noqa: PT012
            file.write(content(2 * PART))
            raise ZeroDivisionError
        file = store.open(key, "wb")
        file.write(content(2 * PART))
        file.discard()
    assert store.list() == ["there"]
    assert store.get("there") == b"before"


def test_conditions_are_kept(store: mithril.S3Storage) -> None:
    store.put("key", b"one", if_absent=True)
    with pytest.raises(FileExistsError) as there:
        store.put("key", b"two", if_absent=True)
    assert isinstance(there.value, mithril.ObjectExistsException)
    assert (there.value.key, there.value.kind) == ("key", "already_exists")
    etag = store.head("key").etag
    store.put("key", b"two", if_match=etag)
    with pytest.raises(mithril.ObjectChangedException) as changed:
        store.put("key", b"three", if_match=etag)
    assert changed.value.kind == "changed"
    assert store.get("key") == b"two"

    async def main() -> None:
        outcomes = await asyncio.gather(
            *[store.put_async("race", bytes([one]), if_absent=True) for one in range(8)],
            return_exceptions=True,
        )
        assert sum(outcome is None for outcome in outcomes) >= 1
        assert all(isinstance(one, FileExistsError) for one in outcomes if one is not None)

    asyncio.run(main())


def verbs(store: mithril.Storage) -> Iterator[tuple[str, Any]]:
    """Every verb that needs the object `none` or its bucket."""
    yield "get", lambda: store.get("none")
    yield "get_range", lambda: store.get_range("none", 0, 1)
    yield "get_ranges", lambda: store.get_ranges("none", [(0, 1), (2, 3)])
    yield "get_many", lambda: store.get_many(["none"])
    yield "get_stream", lambda: store.get_stream("none")
    yield "head", lambda: store.head("none")
    yield "copy", lambda: store.copy("none", "there")
    yield "rename", lambda: store.rename("none", "there")
    yield "open", lambda: store.open("none")


def test_a_missing_object_is_named(moto: Moto, bucket: str, store: mithril.S3Storage) -> None:
    store.put("there", b"")
    for verb, call in verbs(store):
        with pytest.raises(FileNotFoundError) as missing:
            call()
        error = missing.value
        assert isinstance(error, mithril.ObjectNotFoundException), verb
        assert (error.key, error.store, error.kind) == ("none", store.url, "not_found"), verb
        assert '"none"' in str(error)
        assert bucket in str(error)
        assert moto.endpoint in str(error)


def test_a_missing_bucket_is_an_error_of_every_verb(moto: Moto) -> None:
    store = mithril.S3Storage("no-such-bucket", **moto.options)
    more = [
        ("get_opt", lambda: store.get_opt("none")),
        ("exists", lambda: store.exists("none")),
        ("put", lambda: store.put("none", b"")),
        ("put_stream", lambda: store.put_stream("none", [content(1 << 10)])),
        ("list", store.list),
        ("list_objects", store.list_objects),
        ("list_folder", store.list_folder),
        ("is_folder", lambda: store.is_folder("none")),
    ]
    for verb, call in [*verbs(store), *more]:
        with pytest.raises(mithril.ObjectNotFoundException) as missing:
            call()
        assert missing.value.store == "s3://no-such-bucket", verb
        assert "no-such-bucket" in str(missing.value), verb


def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    options: dict[str, Any] = {
        "endpoint": endpoint,
        "allow_http": True,
        "retries": 0,
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    store = mithril.S3Storage("bucket", **options)
    more = [("put", lambda: store.put("none", b"")), ("list", store.list)]
    for verb, call in [*verbs(store), *more]:
        with pytest.raises(ConnectionError) as failed:
            call()
        error = failed.value
        assert isinstance(error, mithril.StoreConnectionException), verb
        assert (error.kind, error.store) == ("connection", "s3://bucket"), verb
        assert endpoint in str(error)
        assert_no_secret(error)
    with pytest.raises(mithril.StoreConnectionException):
        asyncio.run(store.get_async("none"))


def assert_no_secret(error: BaseException) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error)
    for secret in (KEY_ID, SECRET):
        assert secret not in shown
        assert secret.encode() not in pickle.dumps(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))


def test_credentials_are_never_shown(moto: Moto, store: mithril.S3Storage) -> None:
    for secret in (KEY_ID, SECRET):
        assert secret not in repr(store)
        assert secret not in store.url
        assert secret.encode() not in pickle.dumps(store)
    other = mithril.S3Storage("no-such-bucket", **moto.options)
    for one in (store, other):
        for _verb, call in verbs(one):
            with pytest.raises(mithril.StorageException) as failed:
                call()
            assert_no_secret(failed.value)


def test_unpickled_stores_reach_the_same_objects(store: mithril.S3Storage) -> None:
    store.put("key", b"value")
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy.get("key") == b"value"


def test_parquet_is_read_and_written_where_it_is(store: mithril.S3Storage) -> None:
    table = pa.table({"row": range(1000), "text": [f"text {row}" for row in range(1000)]})
    with store.open("part-0.parquet", "wb") as file:
        pq.write_table(table, file)
    with store.open("part-0.parquet") as file:
        assert pq.read_table(file).equals(table)
    with store.open("part-0.parquet") as file:
        assert pd.read_parquet(file, columns=["row"])["row"].sum() == 499500
