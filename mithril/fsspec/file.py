"""Objects as files of fsspec."""

# fsspec has no types: what its methods take and return is guessed from their bodies.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractBufferedFile

from mithril.exceptions import ObjectExistsException

if TYPE_CHECKING:
    from mithril.fsspec.filesystem import StoreFileSystem
    from mithril.storage import ObjectWriter


class MithrilFile(AbstractBufferedFile):  # type: ignore[misc] # fsspec has no types
    """An object as a file, with the caches of fsspec to read through.

    Reading waits on the calling thread, and so works in a forked child. What is written appears
    when the file is closed (in a transaction: when that ends), and not at all if an exception
    leaves the ``with`` block, after `discard`, or if the file is dropped without being closed.

    The mode ``"xb"`` looks and writes in one step when the file is closed, and holds all of it in
    memory until then.
    """

    def __init__(
        self,
        fs: StoreFileSystem,
        path: str,
        mode: str = "rb",
        **options: Any,  # noqa: ANN401 - those of the base class
    ) -> None:
        """Open an object; files come from `open` of a filesystem, not from here."""
        self._writer: ObjectWriter | None = None
        self._over = False
        if mode == "ab":
            raise NotImplementedError("objects cannot be appended to: write a new one")
        self._store, self._key = fs.locate(path)[:2]
        if mode == "xb" and fs.exists(path):
            raise self._exists()
        super().__init__(fs, path, mode, **options)
        if mode == "rb" and self._details is not None and self._details["type"] == "directory":
            raise IsADirectoryError(path)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self._store.get_range(self._key, start, end))

    def _initiate_upload(self) -> None:
        if self.mode != "xb":
            self._writer = self._store.open(self._key, "wb", buffer_size=1)

    def _upload_chunk(self, final: bool = False) -> bool:
        if self._writer is not None:
            # Without a copy: `BytesIO` gives its memory away.
            self._writer.write(self.buffer.getvalue())
        elif not final:
            # The buffer keeps all of it.
            return False
        if final and self.autocommit:
            self.commit()
        return self._writer is not None or self._over

    def commit(self) -> None:
        """Let the object appear; a transaction calls this when it ends."""
        if not self.closed and not self.forced:
            self.flush(force=True)
        if self._over:
            return
        self._over = True
        if self._writer is not None:
            self._writer.close()
        else:
            self._store.put(self._key, self.buffer.getvalue(), if_absent=True)

    def discard(self) -> None:
        """Give up what was written, and leave what was there before."""
        self._over = True
        self.closed = True
        if self._writer is not None:
            self._writer.discard()

    def close(self) -> None:
        """Close the file; what was written appears, unless a transaction is to decide."""
        try:
            super().close()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Close the file, or discard what was written if an exception leaves the block."""
        if kind is not None and self.mode != "rb":
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Give up what was not closed: nobody knows whether it is whole."""
        if not self.closed and self.mode != "rb":
            self.discard()

    def _exists(self) -> ObjectExistsException:
        store, key = self._store.url, self._key
        error = ObjectExistsException(f"Object already exists: {key!r} in {store}")
        error.key, error.store, error.kind = key, store, "already_exists"
        return error
