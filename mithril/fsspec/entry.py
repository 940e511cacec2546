"""What fsspec wants to know of an object or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from mithril.storage import ObjectMeta

Info: TypeAlias = dict[str, Any]
"""An entry: ``name``, ``size`` and ``type``, and of an object what else the store knows."""


def file(path: str, meta: ObjectMeta) -> Info:
    """Make the entry of an object."""
    info = {
        "name": path,
        "size": meta.size,
        "type": "file",
        "LastModified": meta.last_modified,
        "mtime": meta.last_modified.timestamp(),
        "ETag": meta.etag,
    }
    if meta.content_type is not None:
        info["ContentType"] = meta.content_type
    return info


def name_of(info: Info) -> str:
    """Return the path of an entry."""
    name: str = info["name"]
    return name


def type_of(info: Info) -> str:
    """Return ``file`` or ``directory``."""
    kind: str = info["type"]
    return kind


def is_file(info: Info) -> bool:
    """Tell whether an entry is that of an object."""
    return type_of(info) == "file"


def folder(path: str) -> Info:
    """Make the entry of a folder."""
    return {"name": path, "size": 0, "type": "directory"}
