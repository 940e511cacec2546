"""Compressed files: writers and readers around any file object of Python."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from mithril.discard import WholeFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from mithril import _native

_PIECE = 16 << 20
"""The bytes that are passed on in one call: between two, Ctrl-C is looked for."""
_READ = 1 << 20


class Writable(Protocol):
    """What a compressed stream can be written to."""

    def write(self, data: Buffer, /) -> object:
        """Write bytes; return how many, or None."""


class Readable(Protocol):
    """What a compressed stream can be read from."""

    def read(self, size: int, /) -> Buffer:
        """Return at most so many bytes; none at the end."""
        ...


class CompressWriter(WholeFile):
    """A file that compresses what is written to it into another; see `Compressor.open_writer`.

    The frame ends when the file is closed. A ``with`` block that is left by an exception, and a
    file that is dropped without being closed, leave a frame that readers refuse as cut.
    """

    def __init__(
        self, encoder: _native.Encoder, file: Writable, *, close_file: bool = False
    ) -> None:
        """Wrap an encoder of the engine; writers come from `Compressor.open_writer`."""
        self._encoder = encoder
        self._file = file
        self._close_file = close_file
        self._written = 0
        self._has_ended = False
        self.mode = "wb"

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that were written, before their compression."""
        return self._written

    def write(self, data: Buffer, /) -> int:
        """Compress bytes; return how many, which is all of them."""
        self._check()
        with memoryview(data) as view:
            flat = view if view.c_contiguous else memoryview(view.tobytes())
            whole = flat.cast("B") if flat.nbytes else memoryview(b"")
            for start in range(0, len(whole), _PIECE):
                self._pass_on(self._encoder.write(whole[start : start + _PIECE]))
            self._written += len(whole)
            return len(whole)

    def flush(self) -> None:
        """Pass on all that was written, so that a reader can have it; costs some of the ratio."""
        if self.closed or self._has_ended:
            return
        self._pass_on(self._encoder.flush())
        flush = getattr(self._file, "flush", None)
        if flush is not None:
            flush()

    def close(self) -> None:
        """End the frame; the other file stays open unless `close_file` was given."""
        if self.closed:
            return
        try:
            self._pass_on(self._encoder.finish())
        finally:
            self._leave()

    def discard(self) -> None:
        """Close the file without ending the frame, so that readers refuse it as cut."""
        if not self.closed:
            self._leave()

    def __del__(self) -> None:
        """Leave the frame cut, and the other file open."""
        self._close_file = False
        super().__del__()

    def _leave(self) -> None:
        # The base's close flushes, and the frame has ended.
        self._has_ended = True
        super().close()
        if self._close_file:
            self._file.close()  # type: ignore[attr-defined]

    def _pass_on(self, data: _native.Bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            # A raw file may take a part; one that says nothing has taken all.
            rest = rest[written:] if isinstance(written, int) else rest[:0]

    def _check(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")


class DecompressReader(io.RawIOBase):
    """A file with what another one holds compressed; see `Compressor.open_reader`."""

    def __init__(self, decoder: _native.Decoder, file: Readable, *, close_file: bool) -> None:
        """Wrap a decoder of the engine; readers come from `Compressor.open_reader`."""
        self._decoder = decoder
        self._file = file
        self._close_file = close_file
        self._at = 0
        self.mode = "rb"

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill the beginning of a buffer with what comes next; return how many bytes there were."""
        if self.closed:
            raise ValueError("the file is closed")
        with memoryview(buffer) as view, view.cast("B") as out:
            data = self._decoder.read(min(len(out), _READ))
            out[: len(data)] = memoryview(data)
            self._at += len(data)
            return len(data)

    def readall(self) -> bytes:
        """Return all bytes that are left."""
        if self.closed:
            raise ValueError("the file is closed")
        pieces = []
        while piece := self._decoder.read(_READ):
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the file; the other one stays open unless `close_file` was given."""
        if self.closed:
            return
        super().close()
        if self._close_file:
            self._file.close()  # type: ignore[attr-defined]
