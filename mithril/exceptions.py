"""What Mithril raises.

    MithrilException
    ├── InvalidArgumentException       also a ValueError
    ├── StorageException
    │   ├── ObjectNotFoundException    also a FileNotFoundError
    │   ├── ObjectExistsException      also a FileExistsError
    │   ├── ObjectChangedException
    │   ├── AccessDeniedException      also a PermissionError
    │   ├── StoreConnectionException   also a ConnectionError
    │   └── InvalidKeyException        also a ValueError
    ├── CompressionException
    ├── CasException
    │   ├── ContentNotFoundException   also a FileNotFoundError
    │   └── InvalidAddressException    also a ValueError
    ├── IndexException
    └── DedupException
        ├── CannotResumeException
        ├── NotFoundException          also a FileNotFoundError
        └── OutputInTheWayException    also a FileExistsError

Each exception has a `kind`, a short stable name of what happened for programs to look at. Where an
object or a content was asked for, `key` is its key or address, and `store` the URL of its store.
"""

from __future__ import annotations

from mithril._native import (
    AccessDeniedException,
    CasException,
    CompressionException,
    ContentNotFoundException,
    InvalidAddressException,
    InvalidArgumentException,
    InvalidKeyException,
    MithrilException,
    ObjectChangedException,
    ObjectExistsException,
    ObjectNotFoundException,
    StorageException,
    StoreConnectionException,
)

__all__ = [
    "CLASS_OF_KIND",
    "AccessDeniedException",
    "CannotResumeException",
    "CasException",
    "CompressionException",
    "ContentNotFoundException",
    "DedupException",
    "IndexException",
    "InvalidAddressException",
    "InvalidArgumentException",
    "InvalidKeyException",
    "MithrilException",
    "NotFoundException",
    "ObjectChangedException",
    "ObjectExistsException",
    "ObjectNotFoundException",
    "OutputInTheWayException",
    "StorageException",
    "StoreConnectionException",
    "of_kind",
]


class DedupException(MithrilException):
    """A deduplication failed; nothing was written."""


class IndexException(MithrilException):
    """An index in a store is damaged, or not the one that this one goes on from."""


class NotFoundException(DedupException, FileNotFoundError):
    """An input does not exist."""


class OutputInTheWayException(DedupException, FileExistsError):
    """The output folder exists and was not to be replaced."""


class CannotResumeException(DedupException):
    """What an earlier run has kept is of other inputs or options, or in use."""


CLASS_OF_KIND: dict[str, type[MithrilException]] = {
    "invalid_argument": InvalidArgumentException,
    "not_found": NotFoundException,
    "mixed_formats": InvalidArgumentException,
    "missing_column": InvalidArgumentException,
    "column_type": InvalidArgumentException,
    "bad_row": DedupException,
    "read": DedupException,
    "write": DedupException,
    "output_in_the_way": OutputInTheWayException,
    "cannot_resume": CannotResumeException,
    "input_changed": DedupException,
    "internal": DedupException,
    "interrupted": DedupException,
    "index_damaged": IndexException,
    "index_changed": IndexException,
    "storage": StorageException,
}
"""The class for each kind of error of the deduplicator; kinds are only ever added."""


def of_kind(kind: str, message: str) -> MithrilException:
    """Make the exception for an error of the deduplicator, or for a wrong argument.

    Args:
        kind: One of the keys of `CLASS_OF_KIND`.
        message: What happened, where, and what to do.

    Returns:
        The exception, not raised.
    """
    exception = CLASS_OF_KIND.get(kind, DedupException)(message)
    exception.kind = kind
    return exception
