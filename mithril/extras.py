"""Packages that only parts of Mithril need."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
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
        packages = " ".join(shlex.quote(package) for package in _packages(extra))
        error.add_note(f"install what is missing: pip install {packages}")
        raise


def _packages(extra: str) -> list[str]:
    """Return what an extra asks for, as pip takes it."""
    try:
        asked = requires("mithril") or []
    except PackageNotFoundError:
        asked = []
    parts = (requirement.partition(";") for requirement in asked)
    found = [name.strip() for name, _, marker in parts if f"'{extra}'" in marker.replace('"', "'")]
    return found or [extra]
