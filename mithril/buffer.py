"""What counts as bytes on their way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

BytesLike: TypeAlias = "Buffer | npt.NDArray[Any]"
"""Anything with the buffer protocol, and every numpy array without Python objects.

`bytes` and `mithril.Bytes`, which nothing can change, are read where they are. What another thread
could write to while the engine reads it is copied first, or piece by piece.
"""
