"""Objects as files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mithril.discard import WholeFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from mithril import _native


class ObjectReader(io.RawIOBase):
    """An object, read at any place; `Storage.open` gives it with a buffer around it.

    Attributes:
        name: The key.
        size: The number of bytes when it was opened.
    """

    def __init__(self, native: _native.Storage, key: str) -> None:
        """Look for the object; it is read when it is asked for."""
        self._native = native
        self._at = 0
        self.name = key
        self.mode = "rb"
        self.size = native.head(key).wait()[1]

    @classmethod
    def buffered(cls, native: _native.Storage, key: str, buffer_size: int) -> io.BufferedReader:
        """Open an object with a buffer."""
        return io.BufferedReader(cls(native, key), buffer_size)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        self._check()
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; past the end is allowed, and there is nothing there."""
        self._check()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}.get(whence)
        if base is None:
            raise ValueError(f"whence must be 0, 1 or 2, not {whence}")
        if base + offset < 0:
            raise ValueError(f"a place before the beginning: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill a buffer from the place on; return how many bytes there were."""
        self._check()
        with memoryview(buffer) as view, view.cast("B") as out:
            end = min(self._at + len(out), self.size)
            if end <= self._at:
                return 0
            data = self._native.get_range(self.name, self._at, end).wait()
            out[: len(data)] = memoryview(data)
            self._at += len(data)
            return len(data)

    def readall(self) -> bytes:
        """Return all bytes from the place on, in one request."""
        self._check()
        if self._at >= self.size:
            return b""
        data = self._native.get_range(self.name, self._at, self.size).wait()
        self._at += len(data)
        return bytes(data)

    def _check(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")


class ObjectWriter(WholeFile):
    """An object that is being written, from its beginning to its end.

    It appears when the file is closed. A ``with`` block that is left by an exception, `discard` and
    a file that is dropped without being closed leave what was there before.

    Attributes:
        name: The key.
    """

    def __init__(self, native: _native.Upload[None], key: str, buffer_size: int) -> None:
        """Wrap an upload of the engine; writers come from `Storage.open`, not from here."""
        self._native = native
        self._buffer = bytearray()
        self._buffer_size = buffer_size
        self._written = 0
        self._failed = False
        self.name = key
        self.mode = "wb"

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that were written."""
        return self._written

    def write(self, data: Buffer, /) -> int:
        """Write bytes; return how many, which is all of them."""
        if self.closed:
            raise ValueError("the file is closed")
        with memoryview(data) as view:
            size = view.nbytes
            if size >= self._buffer_size:
                self._send()
                self._pass_on(data)
            else:
                self._buffer += view if view.c_contiguous else view.tobytes()
                if len(self._buffer) >= self._buffer_size:
                    self._send()
        self._written += size
        return size

    def discard(self) -> None:
        """Close the file without writing the object."""
        self._failed = True
        self._native.abort()
        self.close()

    def close(self) -> None:
        """Write the object, if nothing has failed."""
        if self.closed:
            return
        try:
            if not self._failed:
                self._send()
                self._native.finish().wait()
        finally:
            self._native.abort()
            super().close()

    def _send(self) -> None:
        if self._buffer:
            data, self._buffer = self._buffer, bytearray()
            self._pass_on(data)

    def _pass_on(self, data: Buffer) -> None:
        try:
            self._native.write(data).wait()
        except BaseException:
            # A hole in the object must not be closed over.
            self._failed = True
            self._native.abort()
            raise
