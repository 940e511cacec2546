"""Stores as filesystems of `fsspec`, for pandas, pyarrow, polars, datasets and others.

The package `fsspec` comes with the extra ``fsspec``. It finds these filesystems by their
protocols, with no import of mithril:

- ``mithril+s3://bucket/key`` and ``mithril+gs://bucket/key``: the options are those of
  `mithril.S3Storage` and `mithril.GcsStorage`.
- ``mithril://key``: a key of the store that the option ``store`` names, by its URL or as a
  `mithril.Storage`; the other options are those of `mithril.open_store`.
- ``mithril+memory://key``: a store in the memory of the process.

    >>> import fsspec
    >>> fs = fsspec.filesystem("mithril+memory")
    >>> fs.pipe_file("corpus/part-0", b"some text")
    >>> fs.ls("corpus", detail=False)
    ['corpus/part-0']
    >>> with fsspec.open("mithril+memory://corpus/part-0", "rt") as file:
    ...     file.read()
    'some text'

Folders are what keys have before a slash: they are there while an object is in them, and making one
does nothing. No listing is cached. Methods of one request (`cat_file`, `info`, `ls`, `find`, ...)
are done on the calling thread, those of many on the event loop of fsspec, which a forked child
starts anew. A file that is written appears when it is closed, and not at all if an exception leaves
its ``with`` block or it is never closed.
"""

from mithril.fsspec.file import MithrilFile
from mithril.fsspec.filesystem import StoreFileSystem
from mithril.fsspec.protocols import (
    MithrilFileSystem,
    MithrilGcsFileSystem,
    MithrilMemoryFileSystem,
    MithrilS3FileSystem,
)

__all__ = [
    "MithrilFile",
    "MithrilFileSystem",
    "MithrilGcsFileSystem",
    "MithrilMemoryFileSystem",
    "MithrilS3FileSystem",
    "StoreFileSystem",
]
