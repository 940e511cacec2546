"""What every store can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, overload

from mithril.operation import run
from mithril.storage.file import ObjectReader, ObjectWriter
from mithril.storage.stream import ByteStream, is_whole, upload, upload_async

if TYPE_CHECKING:
    import builtins
    import io
    from collections.abc import Iterable, Sequence

    from mithril import _native
    from mithril._native import Bytes, Operation
    from mithril.exceptions import MithrilException
    from mithril.storage.stream import AsyncSource, Source

_CONCURRENCY = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """What a store knows about an object besides its content.

    Attributes:
        key: The key.
        size: The number of bytes.
        last_modified: When the object was last written, by the clock of the store, in UTC.
        etag: A text that changes whenever the object is written, if the store has one.
        content_type: The media type, where the store keeps one.
    """

    key: str
    size: int
    last_modified: datetime
    etag: str | None = None
    content_type: str | None = None


def _meta(native: tuple[str, int, int, str | None, str | None]) -> ObjectMeta:
    key, size, microseconds, etag, content_type = native
    modified = _EPOCH + timedelta(microseconds=microseconds)
    return ObjectMeta(key, size, modified, etag, content_type)


def _folder(
    native: tuple[list[tuple[str, int, int, str | None, str | None]], list[str]],
) -> tuple[list[ObjectMeta], list[str]]:
    objects, folders = native
    return [_meta(one) for one in objects], folders


class Storage:
    """A store of objects: bytes under keys.

    All stores behave alike. Keys are texts of 1 to 1024 bytes of UTF-8, parts of at most 255 bytes
    with ``/`` between them; control characters, backslashes and the parts ``.`` and ``..`` are not
    allowed. A write is atomic: readers see the old object or the new one, and a write that fails or
    is cancelled leaves the old one. A prefix is any text that keys begin with, as in S3.

    Methods release the GIL while they wait, and Ctrl-C stops them; they also work in a notebook,
    inside its running event loop. Each ``x_async`` is a coroutine that does what ``x`` does;
    cancelling its task drops the request. A store can be used from any number of threads and event
    loops, and in a forked child. Pickled, it is its configuration: see `open_store`.

    Raises:
        ObjectNotFoundException: There is no such object; also a FileNotFoundError.
        InvalidKeyException: No object can have this key; also a ValueError.
        AccessDeniedException: The store refuses the caller; also a PermissionError.
        StoreConnectionException: The server does not answer, and trying again did not help; also a
            ConnectionError.
        StorageException: The store failed in another way. Every exception has `key`, `store` (the
            URL) and `kind`.

    Example:
        >>> import asyncio
        >>> import mithril
        >>> store = mithril.MemoryStorage()
        >>> async def main() -> bytes:
        ...     await store.put_async("key", b"value")
        ...     return bytes(await store.get_async("key"))
        >>> asyncio.run(main())
        b'value'
    """

    __slots__ = ("__weakref__", "_native")
    _native: _native.Storage

    @property
    def url(self) -> str:
        """The store as a URL: ``file:///data``, ``s3://bucket/prefix``; it holds no secret."""
        return self._native.url

    def get(self, key: str) -> Bytes:
        """Get an object.

        Args:
            key: The key.

        Returns:
            The bytes, read-only, in the memory that they arrived in.

        Raises:
            ObjectNotFoundException: There is no such object; also a FileNotFoundError.
        """
        return self._native.get(key).wait()

    async def get_async(self, key: str) -> Bytes:
        """Get an object; see `get`."""
        return await run(self._native.get(key))

    def get_opt(self, key: str) -> Bytes | None:
        """Get an object that may not exist.

        Args:
            key: The key.

        Returns:
            The bytes, or None if there is no such object.
        """
        return self._native.get_opt(key).wait()

    async def get_opt_async(self, key: str) -> Bytes | None:
        """Get an object that may not exist; see `get_opt`."""
        return await run(self._native.get_opt(key))

    def get_range(self, key: str, start: int, end: int) -> Bytes:
        """Get a part of an object.

        Args:
            key: The key.
            start: The first byte, counted from zero.
            end: The byte after the last; what lies past the end of the object is left out.

        Returns:
            The bytes ``start:end``.

        Raises:
            InvalidKeyException: The range begins past the end of the object, or ends before it
                begins; also a ValueError.
        """
        return self._native.get_range(key, start, end).wait()

    async def get_range_async(self, key: str, start: int, end: int) -> Bytes:
        """Get a part of an object; see `get_range`."""
        return await run(self._native.get_range(key, start, end))

    def get_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[Bytes]:
        """Get parts of one object; near ones come in one request.

        Args:
            key: The key.
            ranges: ``(start, end)`` of each part, as in `get_range`.

        Returns:
            The parts in the order of `ranges`.
        """
        return self._native.get_ranges(key, list(ranges)).wait()

    async def get_ranges_async(self, key: str, ranges: Sequence[tuple[int, int]]) -> list[Bytes]:
        """Get parts of one object; see `get_ranges`."""
        return await run(self._native.get_ranges(key, list(ranges)))

    @overload
    def get_many(
        self,
        keys: Iterable[str],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> list[Bytes]: ...
    @overload
    def get_many(
        self, keys: Iterable[str], *, concurrency: int = ..., return_exceptions: Literal[True]
    ) -> list[Bytes | MithrilException]: ...
    def get_many(
        self,
        keys: Iterable[str],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> list[Bytes] | list[Bytes | MithrilException]:
        """Get many objects at once.

        Args:
            keys: The keys.
            concurrency: How many may be under way at a time.
            return_exceptions: Whether an object that cannot be got has its exception in its place,
                instead of its being raised.

        Returns:
            The objects in the order of `keys`.
        """
        return _entries(
            self._native.get_many(list(keys), concurrency).wait(), raising=not return_exceptions
        )

    @overload
    async def get_many_async(
        self,
        keys: Iterable[str],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> list[Bytes]: ...
    @overload
    async def get_many_async(
        self, keys: Iterable[str], *, concurrency: int = ..., return_exceptions: Literal[True]
    ) -> list[Bytes | MithrilException]: ...
    async def get_many_async(
        self,
        keys: Iterable[str],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> list[Bytes] | list[Bytes | MithrilException]:
        """Get many objects at once; see `get_many`."""
        entries = await run(self._native.get_many(list(keys), concurrency))
        return _entries(entries, raising=not return_exceptions)

    def get_stream(self, key: str) -> ByteStream:
        """Get an object in pieces, which need not fit into memory together.

        Args:
            key: The key.

        Returns:
            The pieces, for ``for`` and ``async for``.
        """
        return ByteStream(self._native.get_stream(key).wait())

    async def get_stream_async(self, key: str) -> ByteStream:
        """Get an object in pieces; see `get_stream`."""
        return ByteStream(await run(self._native.get_stream(key)))

    def put(
        self, key: str, data: Source, *, if_absent: bool = False, if_match: str | None = None
    ) -> None:
        """Write an object, in place of the one that is there.

        Args:
            key: The key.
            data: The content: anything with the buffer protocol (`bytes` are not copied; what
                another thread could write to is), a path (`pathlib.Path`) or a file open for
                reading, whose content goes through memory in pieces, or an iterable of bytes.
            if_absent: Whether to write only if there is no such object.
            if_match: An etag: write only if the object still has it.

        Raises:
            ObjectExistsException: There is such an object, and `if_absent` was given; also a
                FileExistsError.
            ObjectChangedException: The object does not have the etag of `if_match`.
            TypeError: `data` is nothing that holds or gives bytes.
            ValueError: A condition was given for data that comes in pieces.
        """
        if is_whole(data):
            self._put(key, data, if_absent=if_absent, if_match=if_match).wait()
        else:
            _refuse_condition(if_absent=if_absent, if_match=if_match)
            upload(self._native.upload(key), data)

    async def put_async(
        self, key: str, data: AsyncSource, *, if_absent: bool = False, if_match: str | None = None
    ) -> None:
        """Write an object; see `put`. `data` may be an asynchronous iterable of bytes too."""
        if is_whole(data):
            await run(self._put(key, data, if_absent=if_absent, if_match=if_match))
        else:
            _refuse_condition(if_absent=if_absent, if_match=if_match)
            await upload_async(self._native.upload(key), data)

    def put_stream(self, key: str, data: Source) -> None:
        """Write an object from pieces, which need not fit into memory together.

        The object appears when all pieces are written, and not at all if the source raises.

        Args:
            key: The key.
            data: An iterable of bytes, a path, or a file open for reading.
        """
        upload(self._native.upload(key), data)

    async def put_stream_async(self, key: str, data: AsyncSource) -> None:
        """Write an object from pieces; see `put_stream`. They may come asynchronously."""
        await upload_async(self._native.upload(key), data)

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error.

        Args:
            key: The key.
        """
        self._native.delete(key).wait()

    async def delete_async(self, key: str) -> None:
        """Delete an object; see `delete`."""
        await run(self._native.delete(key))

    def exists(self, key: str) -> bool:
        """Tell whether there is an object.

        Args:
            key: The key.

        Returns:
            Whether there is one.
        """
        return self._native.exists(key).wait()

    async def exists_async(self, key: str) -> bool:
        """Tell whether there is an object; see `exists`."""
        return await run(self._native.exists(key))

    def list(self, prefix: str = "") -> builtins.list[str]:
        """List keys.

        Args:
            prefix: What the keys begin with: ``"a"`` finds ``"ab/c"``.

        Returns:
            The keys, sorted by their bytes.
        """
        return self._native.list(prefix).wait()

    async def list_async(self, prefix: str = "") -> builtins.list[str]:
        """List keys; see `list`."""
        return await run(self._native.list(prefix))

    def list_objects(self, prefix: str = "") -> builtins.list[ObjectMeta]:
        """List objects with what the store knows of each.

        Args:
            prefix: What the keys begin with.

        Returns:
            The objects, sorted by their keys.
        """
        return [_meta(meta) for meta in self._native.list_objects(prefix).wait()]

    async def list_objects_async(self, prefix: str = "") -> builtins.list[ObjectMeta]:
        """List objects with what the store knows of each; see `list_objects`."""
        return [_meta(meta) for meta in await run(self._native.list_objects(prefix))]

    def list_folder(self, prefix: str = "") -> tuple[builtins.list[ObjectMeta], builtins.list[str]]:
        """List what lies directly below a prefix, without what lies deeper.

        Args:
            prefix: The folder with a slash at its end, or nothing for the top. As in S3 it may also
                end within a name, and then finds what begins so.

        Returns:
            The objects, and the folders: what all other keys begin with, up to their next slash and
            with it. Both are sorted. A folder that a file system or a mark in S3 keeps without an
            object may be among them.

        Example:
            >>> import mithril
            >>> store = mithril.MemoryStorage()
            >>> for key in ("corpus/a/1", "corpus/a/2", "corpus/readme"):
            ...     store.put(key, b"text")
            >>> objects, folders = store.list_folder("corpus/")
            >>> [one.key for one in objects], folders
            (['corpus/readme'], ['corpus/a/'])
        """
        return _folder(self._native.list_folder(prefix).wait())

    async def list_folder_async(
        self, prefix: str = ""
    ) -> tuple[builtins.list[ObjectMeta], builtins.list[str]]:
        """List what lies directly below a prefix; see `list_folder`."""
        return _folder(await run(self._native.list_folder(prefix)))

    def is_folder(self, folder: str) -> bool:
        """Tell whether anything lies below a name; nothing is listed for that.

        Args:
            folder: The name, without a slash at its end.

        Returns:
            Whether there is an object whose key begins with the name and a slash.
        """
        return self._native.is_folder(folder).wait()

    async def is_folder_async(self, folder: str) -> bool:
        """Tell whether anything lies below a name; see `is_folder`."""
        return await run(self._native.is_folder(folder))

    def head(self, key: str) -> ObjectMeta:
        """Get what the store knows about an object, without its content.

        Args:
            key: The key.

        Returns:
            Size, time of the last writing, etag and media type.
        """
        return _meta(self._native.head(key).wait())

    async def head_async(self, key: str) -> ObjectMeta:
        """Get what the store knows about an object; see `head`."""
        return _meta(await run(self._native.head(key)))

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store, in place of what `target` holds.

        Args:
            source: The key of the object.
            target: The key of the copy.
        """
        self._native.copy(source, target).wait()

    async def copy_async(self, source: str, target: str) -> None:
        """Copy an object within the store; see `copy`."""
        await run(self._native.copy(source, target))

    def rename(self, source: str, target: str) -> None:
        """Move an object within the store.

        Where a store cannot do that in one step (S3, Google's) it is a copy and a deletion.

        Args:
            source: The key of the object.
            target: Its new key.
        """
        self._native.rename(source, target).wait()

    async def rename_async(self, source: str, target: str) -> None:
        """Move an object within the store; see `rename`."""
        await run(self._native.rename(source, target))

    @overload
    def open(
        self, key: str, mode: Literal["rb"] = ..., *, buffer_size: int = ...
    ) -> io.BufferedReader: ...
    @overload
    def open(self, key: str, mode: Literal["wb"], *, buffer_size: int = ...) -> ObjectWriter: ...
    def open(
        self, key: str, mode: Literal["rb", "wb"] = "rb", *, buffer_size: int = 1 << 20
    ) -> io.BufferedReader | ObjectWriter:
        """Open an object as a file, for whatever reads or writes files.

        Args:
            key: The key.
            mode: ``"rb"`` to read, at any place, each look one request; ``"wb"`` to write from the
                beginning to the end.
            buffer_size: How many bytes are read or sent at a time.

        Returns:
            A file object. A written object appears when the file is closed, and not at all if it is
            left by an exception in its ``with`` block.

        Raises:
            ObjectNotFoundException: There is no such object to read.
            ValueError: The mode is another.

        Example:
            >>> import numpy as np
            >>> import mithril
            >>> store = mithril.MemoryStorage()
            >>> with store.open("array.npy", "wb") as file:
            ...     np.save(file, np.arange(3))
            >>> with store.open("array.npy") as file:
            ...     np.load(file)
            array([0, 1, 2])
        """
        if mode == "rb":
            return ObjectReader.buffered(self._native, key, buffer_size)
        if mode == "wb":
            return ObjectWriter(self._native.upload(key), key, buffer_size)
        raise ValueError(f"mode must be 'rb' or 'wb', not {mode!r}")

    def _put(
        self, key: str, data: object, *, if_absent: bool, if_match: str | None
    ) -> Operation[str | None] | Operation[None]:
        if if_absent and if_match is not None:
            raise ValueError("if_absent and if_match exclude each other")
        if if_absent or if_match is not None:
            return self._native.put_if(key, data, if_match)
        return self._native.put(key, data)


def _refuse_condition(*, if_absent: bool, if_match: str | None) -> None:
    if if_absent or if_match is not None:
        raise ValueError("if_absent and if_match are for data that is whole, not in pieces")


def _entries(
    entries: list[Bytes | MithrilException], *, raising: bool
) -> list[Bytes | MithrilException]:
    if raising:
        for entry in entries:
            if isinstance(entry, Exception):
                raise entry
    return entries
