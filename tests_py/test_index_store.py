"""Indexes in stores: their format, damage, other writers, and death."""

from __future__ import annotations

import asyncio
import pickle
import signal
import struct
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from processes import LIMIT, line, started
from test_index_life import mix

import mithril
from mithril import IndexMatch, MinHasher, MinHashIndex

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Moto


def read_object(data: bytes) -> tuple[int, dict[str, bytes]]:
    """The kind and the sections of an object, by docs/minhash-index.md alone."""
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
