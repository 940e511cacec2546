"""Packages that only parts of Mithril need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Let a failing import say how to install what is missing.

    Args:
        extra: The extra of Mithril that brings it.

    Raises:
        ImportError: That of the import, with a note.
    """
    try:
        yield
    except ImportError as error:
        error.add_note(f'install what is missing: pip install "mithril[{extra}]"')
        raise
