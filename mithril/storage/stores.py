"""The stores by name: four classes, and one function for their URLs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from mithril import _native
from mithril.exceptions import of_kind
from mithril.options import encode
from mithril.storage import secret
from mithril.storage.base import Storage

if TYPE_CHECKING:
    from collections.abc import Callable

_shared: WeakValueDictionary[str, _native.Storage] = WeakValueDictionary()
_CONNECTION = (
    "allow_http",
    "retries",
    "retry_timeout",
    "timeout",
    "connect_timeout",
    "part_size",
)


class _Configured(Storage):
    """A store that is made of its configuration, and pickles as that.

    Equal configurations share one store of the engine, and with it one pool of connections.
    """

    __slots__ = ("_config", "_pickle_secrets")
    _config: dict[str, Any]
    _pickle_secrets: bool

    def _open(self, config: dict[str, Any], *, pickle_secrets: bool = False) -> None:
        self._config = config
        self._pickle_secrets = pickle_secrets
        name = encode(**config)
        native = _shared.get(name)
        if native is None:
            native = _shared.setdefault(name, _native.Storage(_for_engine(config)))
        self._native = native

    def __getstate__(self) -> tuple[dict[str, Any], bool]:
        """Return the configuration; secrets are sealed unless they may be seen."""
        config = self._config if self._pickle_secrets else secret.seal(self._config)
        return config, self._pickle_secrets

    def __setstate__(self, state: tuple[dict[str, Any], bool]) -> None:
        """Open the store of a configuration."""
        config, pickle_secrets = state
        self._open(secret.unseal(config), pickle_secrets=pickle_secrets)

    def __eq__(self, other: object) -> bool:
        """Tell whether the two are the same store with the same settings."""
        if not isinstance(other, _Configured):
            return NotImplemented
        return self._config == other._config

    def __hash__(self) -> int:
        """Hash the configuration."""
        return hash(encode(**self._config))

    def __repr__(self) -> str:
        """Name the class and the URL, and no setting that could be a secret."""
        return f"{type(self).__name__}({self.url!r})"


def _for_engine(config: dict[str, Any]) -> str:
    if config["kind"] == "memory":
        return encode(kind="memory")
    if config["kind"] not in {"s3", "gcs"}:
        return encode(**config)
    connection = {name: config[name] for name in _CONNECTION}
    rest = {name: value for name, value in config.items() if name not in _CONNECTION}
    return encode(**rest, connection=connection)


class LocalStorage(_Configured):
    """A folder, whose files are the objects.

    A write goes into a hidden file beside its place and is renamed, so that readers see the old
    object or the new one. No key and no link leads out of the folder.

    Args:
        path: The folder; it is made if it is not there.
        durable: Whether a write is on the disk (`fsync`) when it returns. Without it a power
            failure may undo the last seconds of writes, each as a whole.

    Raises:
        StorageException: The folder can be neither opened nor made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = LocalStorage(folder)
        ...     store.put("a/b", b"text")
        ...     store.list()
        ['a/b']
    """

    __slots__ = ()

    def __init__(self, path: str | os.PathLike[str], *, durable: bool = False) -> None:
        """Open the folder; see the class."""
        path = os.path.abspath(os.fspath(path))  # noqa: PTH100 - a link is kept as it is
        self._open({"kind": "local", "path": path, "durable": durable})

    @property
    def path(self) -> str:
        """The folder, absolute."""
        path: str = self._config["path"]
        return path


class MemoryStorage(_Configured):
    """Objects in the memory of this process, for tests and for data that nobody needs tomorrow.

    Reading copies nothing. The objects go with the last reference to the store. A forked child has
    a copy of them; in a process that did not inherit them, the unpickled store is empty.

    Example:
        >>> store = MemoryStorage()
        >>> store.put("key", b"value")
        >>> store.exists("key")
        True
    """

    __slots__ = ()

    def __init__(self) -> None:
        """Make an empty store."""
        self._open({"kind": "memory", "name": os.urandom(16).hex()})


class S3Storage(_Configured):
    """A bucket of S3, or of a server that speaks its language, below a prefix.

    What is not given comes from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``,
    ``AWS_REGION``, ...); without keys there, the role of the machine or the container is asked. No
    method of construction touches the network.

    Failures that may pass (a refused or broken connection, 429, 5xx) are tried again; what stays is
    an exception that names the key, the bucket and the endpoint, and no secret.

    Args:
        bucket: The bucket's name.
        prefix: What all keys begin with, without a slash at its ends.
        endpoint: The address of the server, if it is not Amazon's: ``https://host:port``.
        region: The region; ``us-east-1`` if neither this nor the environment says.
        access_key_id: The id of the access key.
        secret_access_key: Its secret.
        session_token: The token that goes with temporary keys.
        anonymous: Whether requests are not signed, as for public buckets.
        path_style: Whether the bucket is part of the path (``host/bucket/key``) or of the host's
            name; with an endpoint it is part of the path unless this says otherwise.
        allow_http: Whether the endpoint may be ``http://``, where anybody can read along.
        retries: How often a request is tried again; 5 times if None.
        retry_timeout: For how many seconds after its beginning a request is tried again; 180 if
            None.
        timeout: For how many seconds nothing may arrive before a server counts as stalled; 60 if
            None.
        connect_timeout: For how many seconds connecting may take; 5 if None.
        part_size: The bytes of a part in which large objects are sent; 16 MiB if None.
        pickle_secrets: Whether a pickle of the store holds the secrets as they are. Otherwise they
            are sealed: processes that multiprocessing starts (and so the workers of a DataLoader)
            can open them, and any other falls back to the environment.

    Raises:
        InvalidArgumentException: A setting makes no sense; also a ValueError.
        StorageException: The settings together make no store.

    Example:
        >>> S3Storage("corpus", "cleaned", region="eu-central-1")
        S3Storage('s3://corpus/cleaned')
    """

    __slots__ = ()

    def __init__(
        self,
        bucket: str,
        prefix: str | None = None,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        anonymous: bool | None = None,
        path_style: bool | None = None,
        allow_http: bool | None = None,
        retries: int | None = None,
        retry_timeout: float | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        part_size: int | None = None,
        pickle_secrets: bool = False,
    ) -> None:
        """Open the bucket; see the class."""
        config = {
            "kind": "s3",
            "bucket": bucket,
            "prefix": prefix,
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "session_token": session_token,
            "anonymous": anonymous,
            "path_style": path_style,
            "allow_http": allow_http,
            "retries": retries,
            "retry_timeout": retry_timeout,
            "timeout": timeout,
            "connect_timeout": connect_timeout,
            "part_size": part_size,
        }
        self._open(config, pickle_secrets=pickle_secrets)


class GcsStorage(_Configured):
    """A bucket of Google Cloud Storage, below a prefix.

    What is not given comes from the environment (``GOOGLE_APPLICATION_CREDENTIALS``, ...) or, on
    Google's machines, from the machine. No method of construction touches the network.

    Args:
        bucket: The bucket's name.
        prefix: What all keys begin with, without a slash at its ends.
        endpoint: The address of the server, if it is not Google's.
        service_account_key: The key of a service account, as the JSON text that Google hands out.
        service_account_path: The file with such a key.
        anonymous: Whether requests are not signed, as for reading public buckets.
        allow_http: As for `S3Storage`, like the next five.
        retries: How often a request is tried again.
        retry_timeout: For how many seconds a request is tried again.
        timeout: For how many seconds nothing may arrive.
        connect_timeout: For how many seconds connecting may take.
        part_size: The bytes of a part in which large objects are sent.
        pickle_secrets: Whether a pickle of the store holds the secrets as they are.

    Raises:
        InvalidArgumentException: A setting makes no sense; also a ValueError.
        StorageException: The settings together make no store.

    Example:
        >>> GcsStorage("corpus", "cleaned", anonymous=True)
        GcsStorage('gs://corpus/cleaned')
    """

    __slots__ = ()

    def __init__(
        self,
        bucket: str,
        prefix: str | None = None,
        *,
        endpoint: str | None = None,
        service_account_key: str | None = None,
        service_account_path: str | None = None,
        anonymous: bool | None = None,
        allow_http: bool | None = None,
        retries: int | None = None,
        retry_timeout: float | None = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        part_size: int | None = None,
        pickle_secrets: bool = False,
    ) -> None:
        """Open the bucket; see the class."""
        config = {
            "kind": "gcs",
            "bucket": bucket,
            "prefix": prefix,
            "endpoint": endpoint,
            "service_account_key": service_account_key,
            "service_account_path": service_account_path,
            "anonymous": anonymous,
            "allow_http": allow_http,
            "retries": retries,
            "retry_timeout": retry_timeout,
            "timeout": timeout,
            "connect_timeout": connect_timeout,
            "part_size": part_size,
        }
        self._open(config, pickle_secrets=pickle_secrets)


_OPENERS: dict[str, Callable[..., Storage]] = {
    "memory": MemoryStorage,
    "local": LocalStorage,
    "s3": S3Storage,
    "gcs": GcsStorage,
}


def open_store(url: str | os.PathLike[str], **options: Any) -> Storage:  # noqa: ANN401 - those of the class
    """Open the store that a URL names.

    Args:
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``file:///absolute/path``,
            ``memory://``, or the path of a folder.
        **options: The keyword arguments of `S3Storage`, `GcsStorage` or `LocalStorage`.

    Returns:
        The store, which has touched no network yet. Equal URLs and options share one pool of
        connections. A store can be pickled; see `pickle_secrets` of `S3Storage`.

    Raises:
        InvalidArgumentException: The URL names no store; also a ValueError.
        TypeError: An option is none of this kind of store.

    Example:
        >>> open_store("s3://corpus/cleaned", region="eu-central-1")
        S3Storage('s3://corpus/cleaned')
    """
    parsed = json.loads(_native.parse_url(os.fspath(url)))
    kind = parsed.pop("kind")
    check_options(kind, options, str(url))
    return _OPENERS[kind](**parsed, **options)


def check_options(kind: str, options: dict[str, Any], name: str) -> None:
    """Raise a TypeError if a kind of store has no such options.

    Args:
        kind: ``memory``, ``local``, ``s3`` or ``gcs``.
        options: The options by name.
        name: What the error calls the store.
    """
    unknown = sorted(set(options) - _names_of(kind)) if options else []
    if unknown:
        names = ", ".join(unknown)
        known = ", ".join(sorted(_names_of(kind))) or "none"
        raise TypeError(f"{name}: no option {names}; known are: {known}")


def _names_of(kind: str) -> set[str]:
    import inspect  # noqa: PLC0415 - 5 ms that an import of mithril need not take

    parameters = inspect.signature(_OPENERS[kind]).parameters.values()
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}


def check_storage(store: object) -> Storage:
    """Return a store as it is, or the one that a URL names.

    Args:
        store: A `Storage`, a URL or a path.

    Returns:
        The store.

    Raises:
        InvalidArgumentException: It is neither; also a ValueError.
    """
    if isinstance(store, Storage):
        return store
    if isinstance(store, (str, os.PathLike)):
        return open_store(store)
    kind = type(store).__name__
    raise of_kind("invalid_argument", f"a store or its URL is needed, not {kind}")
