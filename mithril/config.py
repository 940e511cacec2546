"""Settings from a file or the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mithril import _native
from mithril.exceptions import of_kind
from mithril.storage.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from mithril.storage.base import Storage


class CoreConfig:
    """Settings: which store, where temporary files go, and what is logged.

    A file is TOML, JSON or YAML, by its suffix, and all keys are optional::

        storage = "s3://corpus/cleaned"
        temp_dir = "/var/tmp"
        log_level = "info"

    ``storage`` is a URL, or a table: ``type`` is ``"s3"`` or ``"gcs"`` with a ``bucket`` and
    perhaps a ``prefix``, ``"local"`` with a ``path``, or ``"memory"``. The environment variables
    are ``MITHRIL_STORAGE`` (a URL), ``MITHRIL_TEMP_DIR`` and ``MITHRIL_LOG_LEVEL``. A key or a
    variable ``MITHRIL_*`` that is unknown is an error: a misspelt one would else go unnoticed.

    Two configurations with the same settings are equal. A configuration does not change, and can be
    pickled.

    Args:
        storage: The URL or path of a store.
        temp_dir: The folder for temporary files; the system's if None.
        log_level: What is logged: off, error, warn, info, debug or trace.

    Raises:
        InvalidArgumentException: A setting makes no sense; also a ValueError.

    Example:
        >>> defaults = CoreConfig(storage="memory://", log_level="warn")
        >>> defaults.merge(CoreConfig(log_level="DEBUG"))
        CoreConfig(storage='memory://', temp_dir=None, log_level='debug')
    """

    __slots__ = ("_settings",)
    _settings: _native.CoreConfig

    def __init__(
        self,
        storage: str | os.PathLike[str] | None = None,
        temp_dir: str | os.PathLike[str] | None = None,
        log_level: str | None = None,
    ) -> None:
        """Take the settings; see the class."""
        storage = None if storage is None else os.fspath(storage)
        self._settings = _native.CoreConfig(storage, temp_dir, log_level)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> CoreConfig:
        """Read a file.

        Args:
            path: A file whose name ends in ``.toml``, ``.json``, ``.yaml`` or ``.yml``; an empty
                one sets nothing.

        Returns:
            Its settings.

        Raises:
            InvalidArgumentException: The file is not of its format, is longer than 1 MiB, or has an
                unknown key or a value that makes no sense; the text names file, line and key. Also
                a ValueError.
            OSError: The file cannot be read, as FileNotFoundError and PermissionError.

        Example:
            >>> import tempfile
            >>> with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            ...     _ = file.write('storage = "s3://corpus/cleaned"')
            ...     file.flush()
            ...     CoreConfig.from_file(file.name).storage
            's3://corpus/cleaned'
        """
        return cls._of(_native.CoreConfig.from_file(path))

    @classmethod
    def from_env(cls) -> CoreConfig:
        """Read the environment variables ``MITHRIL_*``; an empty one counts as not set.

        Returns:
            Their settings.

        Raises:
            InvalidArgumentException: A variable is unknown, or its value makes no sense; the text
                names it. Also a ValueError.

        Example:
            >>> import os
            >>> os.environ["MITHRIL_LOG_LEVEL"] = "info"
            >>> CoreConfig.from_env().log_level
            'info'
            >>> del os.environ["MITHRIL_LOG_LEVEL"]
        """
        return cls._of(_native.CoreConfig.from_variables(dict(os.environ)))

    @classmethod
    def _of(cls, native: _native.CoreConfig) -> CoreConfig:
        config = cls.__new__(cls)
        config._settings = native  # noqa: SLF001 - its own
        return config

    @property
    def storage(self) -> str | None:
        """The URL of the store, or the relative path of its folder."""
        return self._settings.storage

    @property
    def temp_dir(self) -> Path | None:
        """The folder for temporary files; the system's if None."""
        return self._settings.temp_dir

    @property
    def log_level(self) -> str | None:
        """What is logged, in lower case."""
        return self._settings.log_level

    def merge(self, other: CoreConfig) -> CoreConfig:
        """Return these settings, with every one that `other` has taken from there.

        Args:
            other: The settings that go before, such as those of the environment before a file's.

        Returns:
            The merged settings.

        Example:
            >>> file = CoreConfig(storage="memory://", log_level="info")
            >>> file.merge(CoreConfig(log_level="trace")).log_level
            'trace'
        """
        return self._of(self._settings.merge(other._settings))

    def open_store(self, **options: Any) -> Storage:  # noqa: ANN401 - those of the class
        """Open the store.

        Args:
            **options: As for `mithril.open_store`.

        Returns:
            The store, which has touched no network yet.

        Raises:
            InvalidArgumentException: No store is set; also a ValueError.
            TypeError: An option is none of this kind of store.

        Example:
            >>> CoreConfig(storage="s3://corpus").open_store(region="eu-central-1")
            S3Storage('s3://corpus')
        """
        if self.storage is None:
            message = "no store is set: set storage in the file, or the variable MITHRIL_STORAGE"
            raise of_kind("invalid_argument", message)
        return open_store(self.storage, **options)

    def _values(self) -> tuple[str | None, Path | None, str | None]:
        return self.storage, self.temp_dir, self.log_level

    def __reduce__(self) -> tuple[type[CoreConfig], tuple[str | None, Path | None, str | None]]:
        """Pickle the settings."""
        return CoreConfig, self._values()

    def __eq__(self, other: object) -> bool:
        """Tell whether the two have the same settings."""
        if not isinstance(other, CoreConfig):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        """Hash the settings."""
        return hash(self._values())

    def __repr__(self) -> str:
        """Write the settings as they would be given."""
        folder = None if self.temp_dir is None else str(self.temp_dir)
        return (
            f"CoreConfig(storage={self.storage!r}, temp_dir={folder!r}, "
            f"log_level={self.log_level!r})"
        )
