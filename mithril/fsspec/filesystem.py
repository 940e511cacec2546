"""Objects of stores, one and many, read and written as fsspec does."""

# fsspec has no types: what its methods take and return is guessed from their bodies.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import fsspec.asyn
from fsspec.asyn import AsyncFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.utils import tokenize

from mithril.exceptions import InvalidKeyException, ObjectNotFoundException
from mithril.fsspec import disk
from mithril.fsspec.file import MithrilFile
from mithril.fsspec.listing import Listed
from mithril.operation import run_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mithril._native import Bytes
    from mithril.buffer import BytesLike
    from mithril.exceptions import MithrilException
    from mithril.storage import Storage

_PARALLEL = 64


def _here(name: str) -> Callable[..., Any]:
    """Make the synchronous form of a method that waits for operations of the engine alone.

    It waits on the calling thread: no other thread's event loop is in between, Ctrl-C drops the
    request, and a forked child needs nothing anew.
    """

    def method(self: StoreFileSystem, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any method
        return run_here(getattr(self, name)(*args, **kwargs))

    method.__name__ = name.removeprefix("_")
    method.__qualname__ = f"StoreFileSystem.{method.__name__}"
    method.__doc__ = getattr(getattr(AsyncFileSystem, method.__name__, None), "__doc__", None)
    return method


class StoreFileSystem(Listed):
    """Objects of one store or of several as a filesystem.

    Use one of the classes below it, which know what a path means, by their protocols.
    """

    cat_file = _here("_cat_file")
    cat = _here("_cat")
    pipe_file = _here("_pipe_file")
    put_file = _here("_put_file")
    get_file = _here("_get_file")
    cp_file = _here("_cp_file")
    rm_file = _here("_rm_file")
    info = _here("_info")
    exists = _here("_exists")
    isdir = _here("_isdir")
    isfile = _here("_isfile")
    size = _here("_size")
    ls = _here("_ls")
    find = _here("_find")
    glob = _here("_glob")
    du = _here("_du")
    expand_path = _here("_expand_path")
    mkdir = _here("_mkdir")
    makedirs = _here("_makedirs")
    rmdir = _here("_rmdir")

    # One object.

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: object
    ) -> bytes:
        store, key = self.locate(self._strip_protocol(path))[:2]
        if start is None and end is None:
            return bytes(await store.get_async(key))
        first, last = start or 0, end
        if last is None or first < 0 or last < 0:
            size = (await store.head_async(key)).size
            first, last, _step = slice(start, end).indices(size)
        if first >= last:
            return b""
        try:
            return bytes(await store.get_range_async(key, first, last))
        except InvalidKeyException as error:
            if error.kind != "invalid_range":
                raise
            # A slice that begins past the end is empty.
            return b""

    async def _pipe_file(
        self, path: str, value: BytesLike, mode: str = "overwrite", **_: object
    ) -> None:
        store, key = self.locate(self._strip_protocol(path))[:2]
        await store.put_async(key, value, if_absent=mode == "create")

    async def _put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Any = DEFAULT_CALLBACK,  # noqa: ANN401 - fsspec has no types
        mode: str = "overwrite",
        **_: object,
    ) -> None:
        rpath = self._strip_protocol(rpath)
        if disk.is_folder(lpath):
            await self._makedirs(rpath, exist_ok=True)
            return
        store, key = self.locate(rpath)[:2]
        pieces = disk.pieces(lpath, callback)
        if mode == "create":
            # Looking and writing in one step takes the whole.
            await store.put_async(key, b"".join(pieces), if_absent=True)
        else:
            await store.put_stream_async(key, pieces)

    async def _get_file(
        self,
        rpath: str,
        lpath: Any,  # noqa: ANN401 - a path, or a file
        callback: Any = DEFAULT_CALLBACK,  # noqa: ANN401 - fsspec has no types
        **_: object,
    ) -> None:
        store, key = self.locate(self._strip_protocol(rpath))[:2]
        if disk.is_folder(lpath):
            return
        try:
            if callback is not DEFAULT_CALLBACK:
                callback.set_size((await self._info(rpath))["size"])
            stream = await store.get_stream_async(key)
        except (ObjectNotFoundException, InvalidKeyException):
            if not await self._isdir(rpath):
                raise
            os.makedirs(lpath, exist_ok=True)  # noqa: PTH103
            return
        async with stream:
            with disk.target(lpath) as write:
                async for piece in stream:
                    write(piece)
                    callback.relative_update(len(piece))

    async def _cp_file(self, path1: str, path2: str, **_: object) -> None:
        source, target = (self.locate(self._strip_protocol(path)) for path in (path1, path2))
        if not source.key:
            return
        try:
            if source.store == target.store:
                await source.store.copy_async(source.key, target.key)
            else:
                stream = await source.store.get_stream_async(source.key)
                await target.store.put_stream_async(target.key, stream)
        except ObjectNotFoundException:
            # There is nothing to copy of a folder: it will be where its objects are.
            if not await source.store.is_folder_async(source.key):
                raise

    async def _rm_file(self, path: str, **_: object) -> None:
        store, key = self.locate(self._strip_protocol(path))[:2]
        if not key:
            raise IsADirectoryError(errno.EISDIR, "the top of a store cannot be deleted", path)
        await store.delete_async(key)

    # Many objects.

    async def _cat(
        self,
        path: str | list[str],
        recursive: bool = False,
        on_error: str = "raise",
        batch_size: int | None = None,
        **kwargs: Any,  # noqa: ANN401 - those of `_cat_file`
    ) -> Any:  # noqa: ANN401 - bytes, or a dictionary of them
        if kwargs:
            return await super()._cat(path, recursive, on_error, batch_size, **kwargs)
        paths: list[str] = await self._expand_path(path, recursive=recursive)
        found = await self._get_many(paths, batch_size or self.batch_size or _PARALLEL)
        if recursive:
            folders = {path.rpartition("/")[0] for path in paths}
            found = {
                path: one
                for path, one in found.items()
                if not (path in folders and isinstance(one, Exception))
            }
        if on_error == "raise":
            for one in found.values():
                if isinstance(one, Exception):
                    raise one
        contents = {
            path: one if isinstance(one, Exception) else bytes(one)
            for path, one in found.items()
            if on_error != "omit" or not isinstance(one, Exception)
        }
        if isinstance(path, str) and paths == [self._strip_protocol(path)]:
            return contents[paths[0]]
        return contents

    async def _get_many(
        self, paths: list[str], concurrency: int
    ) -> dict[str, Bytes | MithrilException]:
        by_store: dict[Storage, list[tuple[str, str]]] = {}
        for path in paths:
            store, key = self.locate(path)[:2]
            by_store.setdefault(store, []).append((path, key))
        found: dict[str, Bytes | MithrilException] = {}
        for store, entries in by_store.items():
            keys = [key for _, key in entries]
            got = await store.get_many_async(keys, concurrency=concurrency, return_exceptions=True)
            found |= {path: one for (path, _), one in zip(entries, got, strict=True)}
        return {path: found[path] for path in paths}

    async def _rm(
        self,
        path: str | list[str],
        recursive: bool = False,
        batch_size: int | None = None,
        maxdepth: int | None = None,
        **_: object,
    ) -> None:
        paths = await self._expand_path(path, recursive=recursive, maxdepth=maxdepth)
        keyed = [self._rm_file(one) for one in paths if not self._names_store(one)]
        await fsspec.asyn._run_coros_in_chunks(  # noqa: SLF001 - for those who write filesystems
            keyed, batch_size=batch_size or self.batch_size, nofiles=True
        )

    async def _cat_ranges(  # noqa: PLR0917 - as fsspec has it
        self,
        paths: list[str],
        starts: Any,  # noqa: ANN401 - a number for all, or a list, here and below
        ends: Any,  # noqa: ANN401
        max_gap: int | None = None,  # noqa: ARG002 - the store decides which parts it joins
        batch_size: int | None = None,
        on_error: str = "return",
        **_: object,
    ) -> list[Any]:
        if not isinstance(paths, list):
            raise TypeError("paths must be a list")
        starts = list(starts) if isinstance(starts, Iterable) else [starts] * len(paths)
        ends = list(ends) if isinstance(ends, Iterable) else [ends] * len(paths)
        by_path: dict[str, list[int]] = {}
        for number, (path, _start, _end) in enumerate(zip(paths, starts, ends, strict=True)):
            by_path.setdefault(path, []).append(number)
        out: list[Any] = [None] * len(paths)

        async def fetch(path: str, numbers: list[int]) -> None:
            ranges = [(starts[number], ends[number]) for number in numbers]
            for number, part in zip(numbers, await self._parts(path, ranges), strict=True):
                out[number] = part

        await fsspec.asyn._run_coros_in_chunks(  # noqa: SLF001
            [fetch(path, numbers) for path, numbers in by_path.items()],
            batch_size=batch_size or self.batch_size,
            nofiles=True,
        )
        if on_error != "return":
            for part in out:
                if isinstance(part, Exception):
                    raise part
        return out

    async def _parts(
        self, path: str, ranges: list[tuple[int | None, int | None]]
    ) -> list[bytes | Exception]:
        """Get parts of one object: with one call, if they are not parts counted from its end."""
        whole = [(first, last) for first, last in ranges if first is not None and last is not None]
        if len(whole) == len(ranges) > 1 and all(0 <= first < last for first, last in whole):
            store, key = self.locate(self._strip_protocol(path))[:2]
            # One that is wrong fails them all: then each is asked for.
            with contextlib.suppress(InvalidKeyException, FileNotFoundError):
                return [bytes(part) for part in await store.get_ranges_async(key, whole)]
        parts: list[bytes | Exception] = []
        for first, last in ranges:
            try:
                parts.append(await self._cat_file(path, first, last))
            except Exception as error:  # noqa: BLE001 - it is handed out
                parts.append(error)
        return parts

    # Files, and what tells versions apart.

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401 - those of `MithrilFile`
    ) -> MithrilFile:
        return MithrilFile(
            self,
            path,
            mode,
            block_size=block_size,
            autocommit=autocommit,
            cache_options=cache_options,
            **options,
        )

    def created(self, path: str) -> datetime:
        """Return when the object was written, which is done as a whole; see `modified`."""
        return self.modified(path)

    def modified(self, path: str) -> datetime:
        """Return when the object was last written, in UTC.

        Raises:
            IsADirectoryError: The path is a folder, which has no time.
        """
        info = self.info(path)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        modified: datetime = info["LastModified"]
        return modified

    def ukey(self, path: str) -> str:
        """Return a text that changes whenever the object is written."""
        info = self.info(path)
        key: str = tokenize(info["name"], info.get("ETag") or (info["size"], info.get("mtime")))
        return key

    def checksum(self, path: str) -> int:
        """Return a number that changes whenever the object is written."""
        return int(self.ukey(path), 16)
