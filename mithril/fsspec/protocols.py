"""What a path means: the filesystems by their protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fsspec.asyn import AsyncFileSystem

from mithril.fsspec.base import Place
from mithril.fsspec.entry import folder
from mithril.fsspec.filesystem import StoreFileSystem
from mithril.storage import GcsStorage, MemoryStorage, S3Storage, Storage
from mithril.storage.stores import check_options, check_storage, open_store

if TYPE_CHECKING:
    import os

    from mithril.fsspec.entry import Info

_OF_FSSPEC = (
    "asynchronous",
    "loop",
    "batch_size",
    "use_listings_cache",
    "listings_expiry_time",
    "max_paths",
)


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the options that every filesystem of fsspec has from those of stores."""
    general = {name: value for name, value in options.items() if name in _OF_FSSPEC}
    return general, {name: value for name, value in options.items() if name not in general}


class _Cached(type(AsyncFileSystem)):  # type: ignore[misc] # fsspec has no types
    """Shares filesystems with equal options, as fsspec does.

    fsspec compares options by what they look like, and two stores with different keys look alike:
    a filesystem over a store that is given as an object is not shared.
    """

    def __call__(cls, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - those of the class
        if isinstance(args[0] if args else options.get("store"), Storage):
            options["skip_instance_cache"] = True
        return super().__call__(*args, **options)


class MithrilFileSystem(StoreFileSystem, metaclass=_Cached):
    """A store as a filesystem: ``mithril://key``.

    Args:
        store: The store, or its URL, or the path of a folder; see `mithril.open_store`.
        **options: The options of that store, if it is given by its URL, and those that every
            filesystem of fsspec has (``asynchronous``, ``batch_size``, ``skip_instance_cache``).

    Raises:
        InvalidArgumentException: The URL names no store; also a ValueError.
        TypeError: An option is none of this kind of store.

    Example:
        >>> import fsspec
        >>> import mithril
        >>> store = mithril.MemoryStorage()
        >>> store.put("corpus/part-0", b"some text")
        >>> fs = fsspec.filesystem("mithril", store=store)
        >>> fs.cat("mithril://corpus/part-0")
        b'some text'
    """

    protocol: ClassVar[str | tuple[str, ...]] = "mithril"

    def __init__(
        self,
        store: Storage | str | os.PathLike[str] | None = None,
        **options: Any,  # noqa: ANN401 - those of the store
    ) -> None:
        """Open the store; see the class."""
        general, options = _split(options)
        if store is None:
            raise TypeError("mithril:// needs the option store: a mithril.Storage or its URL")
        if options and not isinstance(store, Storage):
            self._store = open_store(store, **options)
        elif options:
            names = ", ".join(sorted(options))
            raise TypeError(f"a store that is open takes no options: {names}")
        else:
            self._store = check_storage(store)
        super().__init__(**general)

    @property
    def store(self) -> Storage:
        """The store."""
        return self._store

    def _given(self) -> tuple[Any, ...]:
        options = {name: one for name, one in self.storage_options.items() if name in _OF_FSSPEC}
        return self._store, sorted(options.items())

    def locate(self, path: str) -> Place:
        """Find the store and the key of a path."""
        return Place(self._store, path)


class MithrilMemoryFileSystem(StoreFileSystem):
    """Objects in the memory of this process: ``mithril+memory://key``.

    All of these filesystems have the same objects. A forked child has a copy of them.

    Example:
        >>> import fsspec
        >>> fs = fsspec.filesystem("mithril+memory")
        >>> fs.pipe_file("a/b", b"text")
        >>> fs.cat_file("a/b", start=-2)
        b'xt'
    """

    protocol: ClassVar[str | tuple[str, ...]] = "mithril+memory"
    store: ClassVar[Storage] = MemoryStorage()

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of fsspec
        """Take the store of the process."""
        general, options = _split(options)
        if options:
            names = ", ".join(sorted(options))
            raise TypeError(f"mithril+memory:// has no option {names}")
        super().__init__(**general)

    def locate(self, path: str) -> Place:
        """Find the store and the key of a path."""
        return Place(self.store, path)


class _BucketFileSystem(StoreFileSystem):
    """Buckets, the first parts of paths."""

    _kind: ClassVar[str]
    _bucket_class: ClassVar[type[S3Storage | GcsStorage]]

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of the store
        """Take the options; a bucket is opened when a path names it."""
        general, self._options = _split(options)
        check_options(self._kind, self._options, f"{self.protocol}://")
        self._buckets: dict[str, Storage] = {}
        super().__init__(**general)

    def locate(self, path: str) -> Place:
        """Find the store and the key of a path, which begins with the bucket."""
        bucket, _, key = path.partition("/")
        store = self._buckets.get(bucket)
        if store is None:
            if not bucket:
                raise NotImplementedError(
                    f"{self.protocol}:// lists no buckets: a path begins with one"
                )
            # Of two threads that open it, one wins.
            opened = self._bucket_class(bucket, **self._options)
            store = self._buckets.setdefault(bucket, opened)
        return Place(store, key, f"{bucket}/")

    async def _info(self, path: str, **options: object) -> Info:
        return await super()._info(path, **options) if self._strip_protocol(path) else folder("")

    async def _isdir(self, path: str) -> bool:
        return not self._strip_protocol(path) or await super()._isdir(path)


class MithrilS3FileSystem(_BucketFileSystem):
    """Buckets of S3, or of a server that speaks its language: ``mithril+s3://bucket/key``.

    Args:
        **options: Those of `mithril.S3Storage` (``endpoint``, ``region``, ``access_key_id``,
            ``secret_access_key``, ...), and those that every filesystem of fsspec has
            (``asynchronous``, ``batch_size``, ``skip_instance_cache``). What is not given comes
            from the environment.

    Raises:
        TypeError: There is no such option.

    Example:
        >>> import fsspec
        >>> fs = fsspec.filesystem("mithril+s3", region="eu-central-1")
        >>> fs.unstrip_protocol("corpus/part-0")
        'mithril+s3://corpus/part-0'
    """

    protocol: ClassVar[str | tuple[str, ...]] = "mithril+s3"
    _kind = "s3"
    _bucket_class = S3Storage


class MithrilGcsFileSystem(_BucketFileSystem):
    """Buckets of Google Cloud Storage: ``mithril+gs://bucket/key``.

    Args:
        **options: Those of `mithril.GcsStorage`, and those that every filesystem of fsspec has.

    Raises:
        TypeError: There is no such option.

    Example:
        >>> import fsspec
        >>> fs = fsspec.filesystem("mithril+gs", anonymous=True)
        >>> fs.unstrip_protocol("corpus/part-0")
        'mithril+gs://corpus/part-0'
    """

    protocol: ClassVar[str | tuple[str, ...]] = "mithril+gs"
    _kind = "gcs"
    _bucket_class = GcsStorage
