"""Stores as filesystems of fsspec, beyond fsspec's own suite."""
# ruff: noqa: SLF001 - the coroutines of fsspec have names with an underscore

from __future__ import annotations

import asyncio
import io
import pickle
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import fsspec
import fsspec.callbacks
import fsspec.implementations.memory
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import KEY_ID, SECRET, Moto

import mithril
from mithril.fsspec import MithrilFileSystem, MithrilS3FileSystem
from mithril.operation import run_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, str]:
    """A filesystem and an empty folder in it, with a slash at its end."""
    if request.param == "memory":
        return fsspec.filesystem("mithril", store=mithril.MemoryStorage()), ""
    if request.param == "folder":
        return fsspec.filesystem("mithril", store=str(tmp_path / "store")), "top/"
    moto: Moto = request.getfixturevalue("moto")
    return fsspec.filesystem("mithril+s3", **moto.options), moto.make_bucket() + "/"


def run_script(script: str, *arguments: str) -> None:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments]
    subprocess.run(command, check=True, timeout=120)


def test_protocols_are_found_without_an_import_of_mithril() -> None:
    run_script("""
        import fsspec
        for protocol in ("mithril", "mithril+s3", "mithril+gs", "mithril+memory"):
            assert protocol in fsspec.available_protocols()
            kind = fsspec.get_filesystem_class(protocol)
            assert kind.protocol == protocol, kind
        fs, path = fsspec.url_to_fs("mithril+s3://bucket/a/b", region="eu-central-1")
        assert (type(fs).__name__, path) == ("MithrilS3FileSystem", "bucket/a/b")
    """)


def test_one_object(place: tuple[Any, str]) -> None:
    fs, top = place
    path = f"{top}a/b.txt"
    fs.pipe_file(path, b"some text")
    assert fs.cat_file(path) == b"some text"
    assert type(fs.cat_file(path)) is bytes
    info = fs.info(path)
    assert (info["name"], info["size"], info["type"]) == (path, 9, "file")
    assert info["LastModified"] == fs.modified(path) == fs.created(path)
    assert info["LastModified"].timestamp() == info["mtime"]
    assert (fs.exists(path), fs.isfile(path), fs.isdir(path)) == (True, True, False)
    assert (fs.exists(f"{top}a"), fs.isfile(f"{top}a"), fs.isdir(f"{top}a")) == (True, False, True)
    assert fs.info(f"{top}a")["type"] == "directory"
    assert fs.size(path) == 9
    before = fs.ukey(path), fs.checksum(path)
    fs.pipe_file(path, b"SOME TEXT")
    assert fs.ukey(path) != before[0]
    assert fs.checksum(path) != before[1]
    fs.cp_file(path, f"{top}copy")
    fs.mv(path, f"{top}moved")
    assert fs.find(top) == [f"{top}copy", f"{top}moved"]
    fs.rm_file(f"{top}copy")
    assert not fs.exists(f"{top}copy")
    assert fs.cat([f"{top}moved"]) == {f"{top}moved": b"SOME TEXT"}
    assert fs.unstrip_protocol(path).endswith(f"://{path}")


def test_what_is_missing_is_a_file_not_found(place: tuple[Any, str]) -> None:
    fs, top = place
    fs.pipe_file(f"{top}there", b"text")
    missing = f"{top}none"
    for call in (
        fs.cat_file,
        fs.cat,
        fs.info,
        fs.size,
        fs.ls,
        fs.open,
        fs.modified,
        fs.rmdir,
        lambda path: fs.cp_file(path, f"{top}copy"),
        lambda path: fs.get_file(path, "nowhere"),
        lambda path: fs.rm(path, recursive=True),
        lambda path: fs.cat_file(path, 0, 1),
    ):
        with pytest.raises(FileNotFoundError):
            call(missing)
    assert fs.find(missing) == []
    assert fs.glob(f"{missing}/*") == []
    assert not fs.exists(missing)
    assert not fs.exists(f"{top}a//b")
    assert not fs.isdir(f"{top}there/below")
    with pytest.raises(ValueError, match="key"):
        fs.pipe_file(f"{top}a//b", b"")


@pytest.mark.parametrize("start", [None, 0, 3, 9, 10, 100, -3, -9, -100])
@pytest.mark.parametrize("end", [None, 0, 3, 5, 10, 100, -3, -9, -100])
def test_parts_are_slices(start: int | None, end: int | None) -> None:
    fs = fsspec.filesystem("mithril+memory")
    fs.pipe_file("slice", b"0123456789")
    assert fs.cat_file("slice", start, end) == b"0123456789"[start:end]


def test_ranges_of_many_objects(place: tuple[Any, str]) -> None:
    fs, top = place
    for name in ("a", "b"):
        fs.pipe_file(top + name, name.encode() + b"123456789")
    paths = [top + name for name in ("a", "b", "a", "a", "none", "b")]
    starts, ends = [0, 0, 4, 20, 0, -2], [2, 5, 6, 30, 1, None]
    found = fs.cat_ranges(paths, starts, ends)
    assert isinstance(found.pop(4), FileNotFoundError)
    assert found == [b"a1", b"b1234", b"45", b"", b"89"]
    assert fs.cat_ranges([f"{top}a"] * 3, 1, 3) == [b"12"] * 3
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(paths, starts, ends, on_error="raise")
    assert fs.cat_ranges([], [], []) == []


def test_many_objects(place: tuple[Any, str], tmp_path: Path) -> None:
    fs, top = place
    contents = {f"{top}many/{number}/part": b"%d" % number for number in range(50)}
    fs.pipe(contents)
    assert fs.cat(list(contents)) == contents
    assert fs.cat(f"{top}many", recursive=True) == contents
    assert fs.cat(f"{top}many/1*/part") == {
        path: one for path, one in contents.items() if one.startswith(b"1")
    }
    with pytest.raises(FileNotFoundError):
        fs.cat([f"{top}many/1/part", f"{top}none"])
    assert fs.cat([f"{top}many/1/part", f"{top}none"], on_error="omit") == {
        f"{top}many/1/part": b"1"
    }
    assert fs.du(f"{top}many") == 90
    assert fs.du(f"{top}many", total=False)[f"{top}many/7/part"] == 1
    fs.get(f"{top}many", str(tmp_path / "got"), recursive=True)
    assert sorted(path.read_bytes() for path in (tmp_path / "got").rglob("part")) == sorted(
        contents.values()
    )
    fs.put(str(tmp_path / "got"), f"{top}again", recursive=True)
    assert len(fs.find(f"{top}again")) == 50
    fs.mv(f"{top}again", f"{top}moved", recursive=True)
    fs.copy(f"{top}moved", f"{top}copied", recursive=True)
    assert len(fs.find(f"{top}")) == 150
    fs.rm(f"{top}many", recursive=True)
    fs.rm([f"{top}moved", f"{top}copied"], recursive=True)
    assert fs.find(top) == []


def names(draw: st.DrawFn) -> list[str]:
    parts = st.sampled_from(["a", "b", "ab", "a-b", "a.b", "é"])
    paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
    keys = draw(st.lists(paths, max_size=12, unique=True))
    folders = {key[:at] for key in keys for at in range(len(key)) if key[at] == "/"}
    return [key for key in keys if key not in folders]


@settings(deadline=None, max_examples=60)
@given(keys=st.composite(names)(), data=st.data())
def test_listings_are_those_of_fsspecs_own_memory(keys: list[str], data: st.DataObject) -> None:
    theirs = fsspec.implementations.memory.MemoryFileSystem()
    theirs.store.clear()
    theirs.pseudo_dirs[:] = [""]
    fs = fsspec.filesystem("mithril", store=mithril.MemoryStorage())
    for key in keys:
        theirs.pipe_file(f"/{key}", key.encode())
        fs.pipe_file(key, key.encode())
    known = sorted({key[:at] for key in keys for at in range(len(key)) if key[at] == "/"} | {"a"})
    path = data.draw(st.sampled_from(["", *known, *keys, "none"]))
    depth = data.draw(st.sampled_from([None, 1, 2, 3]))
    withdirs = data.draw(st.booleans())
    ours = fs.find(path, maxdepth=depth, withdirs=withdirs)
    expected = [one.lstrip("/") for one in theirs.find(f"/{path}", depth, withdirs)]
    assert ours == [one for one in expected if one]
    pattern = data.draw(
        st.sampled_from(["*", "*/*", "**", "a*", "a*/*", "a/**", "*/b", "?", "a/*"])
    )
    assert fs.glob(pattern) == [one.lstrip("/") for one in theirs.glob(f"/{pattern}") if one != "/"]
    walked = [(root, sorted(dirs), sorted(files)) for root, dirs, files in fs.walk("")]
    expected_walk = [
        (root.lstrip("/"), sorted(dirs), sorted(files)) for root, dirs, files in theirs.walk("/")
    ]
    assert sorted(walked) == sorted(expected_walk)
    if theirs.exists(f"/{path}"):
        listed = [one.lstrip("/") for one in theirs.ls(f"/{path}", detail=False)]
        assert fs.ls(path, detail=False) == sorted(listed)
    assert fs.isdir(path) == theirs.isdir(f"/{path}")


def test_what_others_write_is_seen_at_once(moto: Moto) -> None:
    bucket = moto.make_bucket()
    fs = fsspec.filesystem("mithril+s3", **moto.options)
    assert fs.ls(bucket) == []
    mithril.S3Storage(bucket, **moto.options).put("a/b", b"")
    assert fs.ls(bucket, detail=False) == [f"{bucket}/a"]
    assert fs.exists(f"{bucket}/a/b")


def test_folders_are_what_keys_begin_with(place: tuple[Any, str]) -> None:
    fs, top = place
    fs.mkdir(f"{top}new/folder")
    fs.makedirs(f"{top}new/folder", exist_ok=True)
    assert not fs.exists(f"{top}new")
    fs.pipe_file(f"{top}new/folder/file", b"")
    assert fs.isdir(f"{top}new/folder")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(f"{top}new/folder")
    with pytest.raises(NotADirectoryError):
        fs.rmdir(f"{top}new/folder/file")
    fs.rm(f"{top}new", recursive=True)
    assert not fs.exists(f"{top}new")


def test_buckets_are_named_and_never_made(moto: Moto) -> None:
    fs = fsspec.filesystem("mithril+s3", **moto.options)
    bucket = moto.make_bucket()
    assert (fs.exists(bucket), fs.isdir(bucket)) == (True, True)
    assert fs.info(bucket) == {"name": bucket, "size": 0, "type": "directory"}
    assert (fs.exists("no-such-bucket"), fs.isdir("no-such-bucket")) == (False, False)
    assert fs.find("no-such-bucket") == []
    with pytest.raises(FileExistsError):
        fs.mkdir(bucket)
    fs.makedirs(bucket, exist_ok=True)
    with pytest.raises(NotImplementedError, match="no buckets"):
        fs.mkdir("no-such-bucket")
    with pytest.raises(NotImplementedError, match="begins with one"):
        fs.ls("")
    assert (fs.exists(""), fs.isdir("mithril+s3://")) == (True, True)
    for call in (fs.ls, fs.cat_file, fs.info):
        with pytest.raises(FileNotFoundError, match="no-such-bucket"):
            call("no-such-bucket/key")
    with pytest.raises(IsADirectoryError):
        fs.rm_file(bucket)
    other = moto.make_bucket()
    fs.pipe_file(f"{bucket}/a", b"text")
    fs.cp_file(f"{bucket}/a", f"{other}/b")
    assert fs.cat([f"{bucket}/a", f"{other}/b"]) == {f"{bucket}/a": b"text", f"{other}/b": b"text"}


def test_marks_of_empty_folders_are_folders(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.make_bucket()
    assert moto.request("PUT", f"/{bucket}/empty/")[0] == 200
    fs = fsspec.filesystem("mithril+s3", **moto.options)
    assert fs.ls(bucket, detail=False) == [f"{bucket}/empty"]
    assert fs.ls(f"{bucket}/empty") == []
    assert fs.isdir(f"{bucket}/empty")
    assert not fs.isfile(f"{bucket}/empty")
    fs.get(f"{bucket}/empty", str(tmp_path / "got"), recursive=True)
    assert list((tmp_path / "got").iterdir()) == []


@pytest.mark.parametrize("cache", ["none", "readahead", "bytes", "all", "blockcache"])
def test_a_file_is_read_at_any_place(place: tuple[Any, str], cache: str) -> None:
    fs, top = place
    content = bytes(range(256)) * 40
    fs.pipe_file(f"{top}file", content)
    with fs.open(f"{top}file", block_size=1000, cache_type=cache) as file:
        assert file.size == len(content)
        assert file.read(10) == content[:10]
        file.seek(-10, 2)
        assert file.read() == content[-10:]
        file.seek(5)
        out = bytearray(3000)
        assert file.readinto(out) == 3000
        assert out == content[5:3005]
        assert file.tell() == 3005
        copy = pickle.loads(pickle.dumps(file)) if fs.protocol == "mithril+s3" else file
        assert copy.read(7) == content[3005:3012]
    with fs.open(f"{top}file", "rb") as file:
        assert list(file) == io.BytesIO(content).readlines()
    with pytest.raises(FileNotFoundError):
        fs.open(f"{top}none")


def test_a_file_appears_when_it_is_closed_and_not_before(place: tuple[Any, str]) -> None:
    fs, top = place
    path = f"{top}file"
    with fs.open(path, "wb", block_size=5 << 20) as file:
        for _ in range(12):
            file.write(b"x" * (1 << 20))
        assert not fs.exists(path)
    assert fs.size(path) == 12 << 20
    fs.pipe_file(path, b"before")
    with pytest.raises(ZeroDivisionError), fs.open(path, "wb") as file:  # noqa: PT012 - a block
        file.write(b"half")
        raise ZeroDivisionError
    file = fs.open(path, "wb")
    file.write(b"half")
    file.discard()
    file = fs.open(path, "wb", block_size=2)
    file.write(b"half")
    del file
    assert fs.cat_file(path) == b"before"
    with fs.open(path, "w", encoding="utf-16-le") as text:
        text.write("text\n")
    with fs.open(path, "rt", encoding="utf-16-le") as text:
        assert text.read() == "text\n"
    with pytest.raises(NotImplementedError, match="append"):
        fs.open(path, "ab")
    fs.touch(path)
    assert fs.size(path) == 0
    with pytest.raises(IsADirectoryError):
        fs.pipe_file(f"{top}folder/file", b"") or fs.open(f"{top}folder")


def test_exclusive_files_look_and_write_in_one_step(place: tuple[Any, str]) -> None:
    fs, top = place
    path = f"{top}file"
    one, two = (fs.open(path, "xb", block_size=4) for _ in range(2))
    one.write(b"one, in several blocks")
    two.write(b"two")
    one.close()
    with pytest.raises(FileExistsError):
        two.close()
    assert fs.cat_file(path) == b"one, in several blocks"
    with pytest.raises(mithril.ObjectExistsException) as there:
        fs.open(path, "xb")
    assert there.value.kind == "already_exists"


def test_files_can_be_put_only_where_none_is(place: tuple[Any, str], tmp_path: Path) -> None:
    fs, top = place
    (tmp_path / "source").write_bytes(b"text")
    fs.put_file(str(tmp_path / "source"), f"{top}new", mode="create")
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "source"), f"{top}new", mode="create")
    assert fs.cat_file(f"{top}new") == b"text"


def test_transactions_write_all_or_nothing(place: tuple[Any, str]) -> None:
    fs, top = place
    with fs.transaction:
        for name, mode in (("a", "wb"), ("b", "xb")):
            with fs.open(top + name, mode, block_size=3) as file:
                file.write(b"text")
        open_still = fs.open(f"{top}c", "wb")
        open_still.write(b"text")
        assert fs.find(top) == []
    assert fs.find(top) == [f"{top}a", f"{top}b", f"{top}c"]
    with pytest.raises(ZeroDivisionError), fs.transaction:  # noqa: PT012 - a block
        with fs.open(f"{top}a", "wb") as file:
            file.write(b"other")
        with fs.open(f"{top}d", "wb") as file:
            file.write(b"other")
        raise ZeroDivisionError
    assert fs.cat_file(f"{top}a") == b"text"
    assert fs.find(top) == [f"{top}a", f"{top}b", f"{top}c"]


def test_files_go_to_and_from_the_disk(place: tuple[Any, str], tmp_path: Path) -> None:
    fs, top = place
    content = bytes(range(256)) * (40 << 10)
    (tmp_path / "source").write_bytes(content)

    class Seen(fsspec.callbacks.Callback):  # type: ignore[misc] # fsspec has no types
        pass

    put, got = Seen(), Seen()
    fs.put_file(str(tmp_path / "source"), f"{top}file", callback=put)
    fs.get_file(f"{top}file", str(tmp_path / "target"), callback=got)
    assert (tmp_path / "target").read_bytes() == content
    for seen in (put, got):
        assert (seen.size, seen.value) == (len(content), len(content))
    out = io.BytesIO()
    fs.get_file(f"{top}file", out)
    assert out.getvalue() == content
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{top}none", str(tmp_path / "target"))
    assert (tmp_path / "target").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "source",
        "target",
    ]


def test_options_are_checked_at_once(moto: Moto) -> None:
    with pytest.raises(TypeError, match="no option colour; known are: access_key_id"):
        fsspec.filesystem("mithril+s3", colour=1)
    with pytest.raises(TypeError, match="no option colour"):
        fsspec.filesystem("mithril+memory", colour=1)
    with pytest.raises(TypeError, match="option store"):
        fsspec.filesystem("mithril")
    with pytest.raises(TypeError, match="no option colour"):
        fsspec.filesystem("mithril", store="s3://bucket", colour=1)
    with pytest.raises(TypeError, match="takes no options"):
        fsspec.filesystem("mithril", store=mithril.MemoryStorage(), region="x")
    with pytest.raises(ValueError, match="store URL"):
        fsspec.filesystem("mithril", store="ftp://host")
    bucket = moto.make_bucket()
    fs = MithrilFileSystem(f"s3://{bucket}/below", batch_size=3, **moto.options)
    fs.pipe_file("mithril://key", b"text")
    assert fsspec.filesystem("mithril+s3", **moto.options).cat(f"{bucket}/below/key") == b"text"
    assert fs.store.list() == ["key"]


def test_equal_options_share_a_filesystem_and_equal_looks_do_not() -> None:
    options: dict[str, Any] = {
        "region": "eu-central-1",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    one = fsspec.filesystem("mithril+s3", **options)
    assert fsspec.filesystem("mithril+s3", **options) is one
    assert one != fsspec.filesystem("mithril+s3", **options | {"secret_access_key": "other"})
    stores = [mithril.S3Storage("bucket", **options | {"access_key_id": key}) for key in "ab"]
    first, second = (fsspec.filesystem("mithril", store=store) for store in stores)
    assert repr(stores[0]) == repr(stores[1])
    assert first != second
    assert first.store == stores[0]
    assert second.store == stores[1]
    assert first == fsspec.filesystem("mithril", store=stores[0])
    assert len({first, second, MithrilFileSystem(stores[1])}) == 2
    assert first != 1


def test_pickles_hold_no_secret_in_clear_text(moto: Moto) -> None:
    bucket = moto.make_bucket()
    fs = fsspec.filesystem("mithril+s3", **moto.options)
    fs.pipe_file(f"{bucket}/key", b"text")
    data = pickle.dumps(fs)
    for secret in (KEY_ID, SECRET):
        assert secret.encode() not in data
        assert secret not in repr(fs)
    assert pickle.loads(data) == fs
    shown = fsspec.filesystem("mithril+s3", pickle_secrets=True, **moto.options)
    assert SECRET.encode() in pickle.dumps(shown)
    over = fsspec.filesystem("mithril", store=mithril.S3Storage(bucket, **moto.options))
    copy = pickle.loads(pickle.dumps(over))
    assert copy == over
    assert copy.cat_file("key") == b"text"
    run_script(
        """
        import pickle, sys
        fs = pickle.loads(bytes.fromhex(sys.argv[1]))
        assert fs.storage_options["secret_access_key"] is None
        assert fs.storage_options["region"] == "us-east-1"
        """,
        data.hex(),
    )


def test_a_forked_child_goes_on(moto: Moto) -> None:
    bucket = moto.make_bucket()
    run_script(
        """
        import os, sys, traceback
        import fsspec

        endpoint, bucket = sys.argv[1:]
        fs = fsspec.filesystem("mithril+s3", endpoint=endpoint, allow_http=True, retries=0,
                               access_key_id="id", secret_access_key="secret")

        def use(name):
            top = f"{bucket}/{name}"
            contents = {f"{top}/{number}": b"%d" % number for number in range(20)}
            fs.pipe(contents)  # on fsspec's loop
            assert fs.cat(top, recursive=True) == contents
            assert fs.cat_ranges(list(contents), 0, 1) == [one[:1] for one in contents.values()]
            assert fs.cat_file(f"{top}/3") == b"3"  # on this thread
            with fs.open(f"{top}/file", "wb") as file:
                file.write(b"text")
            with fs.open(f"{top}/file") as file:
                assert file.read() == b"text"
            assert len(fs.find(top)) == 21
            assert fs is fsspec.filesystem("mithril+s3", **fs.storage_options) or name != "parent"
            fs.rm(top, recursive=True)

        use("parent")
        fs.pipe_file(f"{bucket}/open", b"0123456789" * 1000)
        file = fs.open(f"{bucket}/open", cache_type="none")
        assert file.read(10) == b"0123456789"
        children = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                try:
                    assert file.read(5) == b"01234"
                    use(f"child-{number}")
                except BaseException:
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            children.append(pid)
        use("parent")
        assert file.read(5) == b"01234"
        for pid in children:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        """,
        moto.endpoint,
        bucket,
    )


def test_ctrl_c_stops_what_waits_for_a_server_that_does_not_answer() -> None:
    run_script("""
        import os, signal, socket, threading
        import fsspec

        signal.signal(signal.SIGINT, signal.default_int_handler)
        server = socket.create_server(("127.0.0.1", 0))
        fs = fsspec.filesystem("mithril+s3", endpoint=f"http://127.0.0.1:{server.getsockname()[1]}",
                               allow_http=True, access_key_id="id", secret_access_key="secret")

        def interrupt():
            held.append(server.accept())
            os.kill(os.getpid(), signal.SIGINT)

        held = []
        for call in (fs.cat_file, fs.info, fs.ls, fs.find, fs.open):
            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                call("bucket/key")
            except KeyboardInterrupt:
                thread.join()
            else:
                raise AssertionError(call)
        """)


def test_coroutines_run_on_the_loop_that_runs(moto: Moto) -> None:
    bucket = moto.make_bucket()

    async def main() -> None:
        fs = MithrilS3FileSystem(asynchronous=True, **moto.options)
        paths = [f"{bucket}/{number}" for number in range(50)]
        await asyncio.gather(*[fs._pipe_file(path, path.encode()) for path in paths])
        assert await fs._cat(paths) == {path: path.encode() for path in paths}
        assert await fs._cat_ranges(paths, 0, 6) == [b"bucket"] * 50
        assert len(await fs._find(bucket)) == 50
        assert [root async for root, _, _ in fs._walk(bucket)] == [bucket]
        await fs._rm(bucket, recursive=True)
        # Those of one request also work synchronously, as in a notebook.
        assert fs.ls(bucket) == []

    asyncio.run(main())


def test_a_coroutine_that_needs_a_loop_is_refused_on_a_thread() -> None:
    async def sleeps() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="needs an event loop"):
        run_here(sleeps())


@pytest.fixture(autouse=True)
def _no_filesystems_are_left() -> Iterator[None]:
    yield
    for kind in (MithrilFileSystem, MithrilS3FileSystem):
        kind.clear_instance_cache()
