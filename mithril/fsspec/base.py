"""What a filesystem over stores is: where its paths lead, and how it is compared and pickled."""

# fsspec has no types: what its methods take and return is guessed from their bodies.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import fsspec.asyn
from fsspec.asyn import AsyncFileSystem

from mithril.storage import Storage, secret

if TYPE_CHECKING:
    import asyncio


class Place(NamedTuple):
    """What a path means.

    Attributes:
        store: The store.
        key: The key in it; nothing for the top of the store.
        top: What paths have before the keys of the store: ``bucket/``, or nothing.
    """

    store: Storage
    key: str
    top: str = ""


class Located(AsyncFileSystem):  # type: ignore[misc] # fsspec has no types
    """A filesystem whose paths lead to keys of stores."""

    protocol: ClassVar[str | tuple[str, ...]] = ()
    _pid: int

    def locate(self, path: str) -> Place:
        """Find the store and the key of a path."""
        raise NotImplementedError

    def _names_store(self, path: str) -> bool:
        """Tell whether a path is the top of a store, whose objects can be listed."""
        return not self.locate(path).key

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:  # noqa: ANN401 - a path, or a list of them
        path = super()._strip_protocol(path)
        return path.lstrip("/") if isinstance(path, str) else path

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of methods with many requests; a forked child has one of its own."""
        if self._pid != os.getpid():
            thread = fsspec.asyn.iothread[0]
            if thread is None or not thread.is_alive():
                # Not all versions of fsspec see a fork, and none its lock, which may be held.
                fsspec.asyn.reset_lock()
            self._pid = os.getpid()
            self._loop = None if self.asynchronous else fsspec.asyn.get_loop()
        loop: asyncio.AbstractEventLoop | None = self._loop
        return loop

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as class and options; secrets are sealed as those of stores are."""
        options = self.storage_options
        if not options.get("pickle_secrets"):
            options = secret.seal(options)
        return _rebuild, (type(self), self.storage_args, options)

    def __eq__(self, other: object) -> bool:
        """Tell whether the two have the same class and options."""
        if not isinstance(other, Located):
            return NotImplemented
        return type(self) is type(other) and self._given() == other._given()

    def __hash__(self) -> int:
        """Hash class and options."""
        return hash((type(self), str(self._given())))

    def _given(self) -> tuple[Any, ...]:
        return self.storage_args, sorted(self.storage_options.items(), key=lambda item: item[0])


def _rebuild(kind: type[Located], args: tuple[Any, ...], options: dict[str, Any]) -> Located:
    return kind(*args, **secret.unseal(options))
