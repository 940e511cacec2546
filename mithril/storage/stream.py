"""Objects in pieces: read with a loop, and written from whatever gives pieces."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from mithril.operation import run

if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Self

    from typing_extensions import Buffer, TypeIs

    from mithril import _native
    from mithril._native import Bytes
    from mithril.buffer import BytesLike

T = TypeVar("T")

Source: TypeAlias = "BytesLike | os.PathLike[str] | IO[bytes] | Iterable[BytesLike]"
"""What `put` takes: bytes, a path, a file that is open for reading, or an iterable of bytes."""
AsyncSource: TypeAlias = "Source | AsyncIterable[BytesLike]"
"""What `put_async` takes: as `put`, and asynchronous iterables of bytes."""

PIECE = 4 << 20
"""How many bytes of a file are read at a time."""


class ByteStream(Iterator["Bytes"], AsyncIterator["Bytes"]):
    """The bytes of an object in pieces, for ``for`` and for ``async for``.

    At most a few pieces are in memory. It ends early with `close`, or as a context manager; what is
    then left is not read.

    Example:
        >>> import mithril
        >>> store = mithril.open_store("memory://")
        >>> store.put("key", b"some text")
        >>> b"".join(store.get_stream("key"))
        b'some text'
    """

    def __init__(self, native: _native.ByteStream) -> None:
        """Wrap a stream of the engine; streams come from `get_stream`, not from here."""
        self._native = native

    def __iter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __next__(self) -> Bytes:
        """Wait for the next piece."""
        piece = self._native.next().wait()
        if piece is None:
            raise StopIteration
        return piece

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Bytes:
        """Wait for the next piece."""
        piece = await run(self._native.next())
        if piece is None:
            raise StopAsyncIteration
        return piece

    def close(self) -> None:
        """End the reading. What follows is the end of the stream."""
        self._native.close()

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the reading."""
        self.close()

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the reading."""
        self.close()


def is_whole(source: object) -> TypeIs[BytesLike]:
    """Tell whether a source is bytes, and not something that gives them."""
    try:
        memoryview(cast("Buffer", source)).release()
    except TypeError:
        return False
    except ValueError:
        # A numpy array of a type that the protocol has no name for, such as bfloat16.
        return True
    return True


def pieces(source: Source) -> Iterator[BytesLike]:
    """Yield the bytes that a source gives, a few at a time."""
    if is_whole(source):
        yield source
    elif isinstance(source, os.PathLike):
        with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - any path-like
            while piece := file.read(PIECE):
                yield piece
    elif isinstance(source, io.TextIOBase):
        raise TypeError("the file gives text, not bytes: open it with mode 'rb'")
    elif isinstance(source, str):
        raise TypeError("bytes are needed, not str: encode it, or pass a pathlib.Path for a file")
    elif (read := getattr(source, "read", None)) is not None:
        while piece := read(PIECE):
            yield piece
    elif isinstance(source, Iterable):
        yield from source
    else:
        kind = type(source).__name__
        raise TypeError(f"bytes, a path, a file or an iterable of bytes is needed, not {kind}")


def upload(native: _native.Upload[T], source: Source) -> T:
    """Write an object from pieces; it is not there unless all of them are."""
    try:
        for piece in pieces(source):
            native.write(piece).wait()
        return native.finish().wait()
    except BaseException:
        native.abort()
        raise


async def upload_async(native: _native.Upload[T], source: AsyncSource) -> T:
    """As `upload`, and from asynchronous iterables too."""
    try:
        if isinstance(source, AsyncIterable):
            async for piece in source:
                await run(native.write(piece))
        else:
            for piece in pieces(source):
                await run(native.write(piece))
        return await run(native.finish())
    except BaseException:
        native.abort()
        raise
