"""Files for writing of which a part is worth nothing."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class WholeFile(io.RawIOBase):
    """A file for writing that is whole when it is closed, and else discarded.

    An exception that leaves its block discards it, and so does whoever drops it without closing it:
    nobody knows whether it is whole.
    """

    @abstractmethod
    def discard(self) -> None:
        """Close the file so that nobody takes it for whole."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file, or discard it if an exception leaves the block."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        """Discard what was not closed."""
        if not self.closed:
            self.discard()
