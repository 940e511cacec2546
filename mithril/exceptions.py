"""What Mithril raises.

    MithrilException
    └── DedupException
        ├── InvalidArgumentException   also a ValueError
        ├── NotFoundException          also a FileNotFoundError
        └── OutputInTheWayException    also a FileExistsError

Each exception has a `kind`, a short stable name of what happened for programs to look at.
"""

from __future__ import annotations


class MithrilException(Exception):
    """The base of all exceptions that Mithril raises.

    Attributes:
        kind: A short stable name of what happened, such as ``"bad_row"``.
    """

    kind: str = "internal"


class DedupException(MithrilException):
    """A deduplication failed; nothing was written."""


class InvalidArgumentException(DedupException, ValueError):
    """An argument is out of range, or does not fit the input."""


class NotFoundException(DedupException, FileNotFoundError):
    """An input does not exist."""


class OutputInTheWayException(DedupException, FileExistsError):
    """The output folder exists and was not to be replaced."""


CLASS_OF_KIND: dict[str, type[DedupException]] = {
    "invalid_argument": InvalidArgumentException,
    "not_found": NotFoundException,
    "mixed_formats": InvalidArgumentException,
    "missing_column": InvalidArgumentException,
    "column_type": InvalidArgumentException,
    "bad_row": DedupException,
    "read": DedupException,
    "write": DedupException,
    "output_in_the_way": OutputInTheWayException,
    "input_changed": DedupException,
    "internal": DedupException,
    "interrupted": DedupException,
}
"""The class that is raised for each kind of error of the engine; kinds are only ever added."""


def of_kind(kind: str, message: str) -> DedupException:
    """Make the exception for an error of the engine.

    Args:
        kind: One of the keys of `CLASS_OF_KIND`.
        message: What happened, where, and what to do.

    Returns:
        The exception, not raised.
    """
    exception = CLASS_OF_KIND.get(kind, DedupException)(message)
    exception.kind = kind
    return exception
