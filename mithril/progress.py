"""How far a long call is: a bar, a function, or nothing."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@runtime_checkable
class Bar(Protocol):
    """A bar of tqdm, or anything else with its `update` and `total`."""

    total: Any
    """How many units there are; None if that is not known."""

    def update(self, n: int = 1, /) -> object:
        """Count units that are done."""
        ...


Callback: TypeAlias = "Callable[[str, int, int], object]"
"""Is called with the phase, the units done and their total, 0 if that is not known."""

Progress: TypeAlias = "bool | Literal['console'] | Callback | Bar | None"
"""What `progress=` takes.

True is a bar: that of ``tqdm.auto`` if tqdm is installed, which is one for notebooks there, and
else ``"console"``, the engine's own on the terminal. A function is called with the phase, the units
done and their total. A bar of tqdm, or anything with its `update` and `total`, is set back at the
beginning of each phase. None and False are nothing.
"""


@contextmanager
def reporting(progress: Progress) -> Iterator[bool | Callback | None]:
    """Give what the engine reports to: nothing, its own bar (True), or a function.

    Args:
        progress: What the caller has passed.

    Yields:
        What the engine takes. Functions are called from its threads.

    Raises:
        TypeError: It is nothing that can be reported to.
    """
    if progress is None or progress is False:
        yield None
    elif isinstance(progress, str) and progress == "console":
        yield True
    elif progress is True:
        tqdm = _tqdm()
        if tqdm is None:
            yield True
            return
        bars = _Phases(partial(_new_bar, tqdm))
        try:
            yield bars.report
        finally:
            bars.close()
    elif isinstance(progress, Bar):
        yield _Phases(partial(_set_back, progress)).report
    elif callable(progress):
        yield progress
    else:
        kind = type(progress).__name__
        message = "progress must be a bool, 'console', a function, or a bar with update and total"
        raise TypeError(f"{message}, not {kind}")


def _tqdm() -> Callable[..., Any] | None:
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - an optional package
    except ImportError:
        return None
    make: Callable[..., Any] = tqdm
    return make


def _new_bar(tqdm: Callable[..., Any], old: Any, phase: str, total: int | None) -> Any:  # noqa: ANN401
    if old is not None:
        old.close()
    # Where there is no terminal it shows nothing (disable), as the engine's own bar does not.
    return tqdm(total=total, desc=phase, disable=None, leave=False, unit_scale=True)


def _set_back(bar: Any, _old: Any, phase: str, total: int | None) -> Any:  # noqa: ANN401
    if hasattr(bar, "reset"):
        bar.reset(total=total)
    bar.total = total
    if hasattr(bar, "set_description"):
        bar.set_description(phase)
    return bar


class _Phases:
    """Turns what the engine reports into updates of a bar, for one phase after the other.

    The threads of the engine report at the same time, and so not always in the order in which they
    have counted.
    """

    def __init__(self, begin: Callable[[Any, str, int | None], Any]) -> None:
        """Take what gives the bar of a phase, from that of the phase before."""
        self._begin = begin
        self._lock = threading.Lock()
        self._bar: Any = None
        self._phase: str | None = None
        self._done = 0

    def report(self, phase: str, done: int, total: int) -> None:
        """Count what is done and has not been counted."""
        with self._lock:
            if phase != self._phase or (done == 0 and self._done > 0):
                self._bar = self._begin(self._bar, phase, total or None)
                self._phase, self._done = phase, 0
            if done > self._done:
                self._bar.update(done - self._done)
                self._done = done

    def close(self) -> None:
        """End the last bar."""
        if self._bar is not None:
            self._bar.close()
