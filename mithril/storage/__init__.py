"""Stores of objects: folders, S3, Google Cloud Storage and memory behind one class.

    >>> import mithril
    >>> store = mithril.open_store("memory://")
    >>> store.put("corpus/part-0", b"some text")
    >>> store.get("corpus/part-0")
    Bytes(b'some text')
    >>> store.list("corpus/")
    ['corpus/part-0']

Every verb that waits has a twin: ``get`` and ``get_async``. See `Storage` for the verbs, and
`open_store` and the four classes for how a store is named.
"""

from mithril.storage.base import ObjectMeta, Storage
from mithril.storage.file import ObjectReader, ObjectWriter
from mithril.storage.stores import (
    GcsStorage,
    LocalStorage,
    MemoryStorage,
    S3Storage,
    open_store,
)
from mithril.storage.stream import ByteStream

__all__ = [
    "ByteStream",
    "GcsStorage",
    "LocalStorage",
    "MemoryStorage",
    "ObjectMeta",
    "ObjectReader",
    "ObjectWriter",
    "S3Storage",
    "Storage",
    "open_store",
]
