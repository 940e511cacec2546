"""Files of the disk on their way in and out."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from fsspec.utils import isfilelike

from mithril.storage.stream import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mithril._native import Bytes


def is_folder(path: Any) -> bool:  # noqa: ANN401 - a path, or a file
    """Tell whether a path is a folder of the disk."""
    return not isfilelike(path) and os.path.isdir(path)  # noqa: PTH112 - a text, here and below


def pieces(path: str, callback: Any) -> Iterator[bytes]:  # noqa: ANN401 - fsspec has no types
    """Yield the content of a file, and tell a callback of fsspec how much of it has been used."""
    callback.set_size(os.path.getsize(path))  # noqa: PTH202
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while piece := file.read(PIECE):
            yield piece
            callback.relative_update(len(piece))


@contextlib.contextmanager
def target(path: Any) -> Iterator[Callable[[Bytes], object]]:  # noqa: ANN401 - a path, or a file
    """Give what writes into a file, which takes its place when all of it is there."""
    if isfilelike(path):
        yield path.write
        return
    path = os.fspath(path)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)  # noqa: PTH103, PTH120
    pending = f"{path}.{secrets.token_hex(8)}"
    try:
        with open(pending, "xb") as file:  # noqa: PTH123
            yield file.write
        os.replace(pending, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(pending)  # noqa: PTH108
        raise
