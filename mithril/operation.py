"""How coroutines wait for the engine.

The threads of the engine never enter the interpreter. They put answers into the mailbox of an
event loop and wake the loop through a socket; the loop's own thread takes the answers out. So a
burst of answers wakes the loop once, and nothing of the engine is in the way when the interpreter
ends.
"""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from mithril import _native

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

T = TypeVar("T")

_SHUTDOWN_SECONDS = 5.0


class _Mailbox:
    """The answers for one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._native = _native.Mailbox(None) if hasattr(_native.Mailbox, "fileno") else None
        if self._native is not None:
            try:
                loop.add_reader(self._native.fileno(), self._collect)
            except NotImplementedError:
                self._native = None
        if self._native is None:
            # A loop that cannot listen to sockets, as Windows' proactor.
            self._native = _native.Mailbox(lambda: loop.call_soon_threadsafe(self._collect))

    async def wait(self, loop: asyncio.AbstractEventLoop, operation: _native.Operation[T]) -> T:
        """Hand the operation to the engine, and wait for its answer."""
        future: asyncio.Future[T] = loop.create_future()
        number = self._next
        self._next += 1
        self._waiting[number] = future
        assert self._native is not None  # noqa: S101 - the constructor has set it
        try:
            operation.start(self._native, number)
        except RuntimeError:
            # The interpreter is ending. A daemon's loop, about to be cut off, waits without an
            # answer, as it does for what it asked for before; the main thread is told.
            if threading.current_thread() is threading.main_thread():
                raise
        try:
            return await future
        finally:
            # Over, or given up: then the engine drops the work.
            if self._waiting.pop(number, None) is not None:
                operation.cancel()

    def _collect(self) -> None:
        assert self._native is not None  # noqa: S101 - the constructor has set it
        for number, is_value, outcome in self._native.collect():
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if is_value:
                future.set_result(outcome)
            else:
                future.set_exception(outcome)


_mailboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Mailbox] = WeakKeyDictionary()


_thread = threading.local()


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for operations alone to its end, on this thread, without a loop.

    Each `run` in it waits as the synchronous verbs do: with the GIL released, until Ctrl-C.

    Args:
        coroutine: The coroutine, which has not begun.

    Returns:
        What it returns.

    Raises:
        RuntimeError: It waits for something else, which only an event loop can do.
    """
    was_waiting = getattr(_thread, "is_waiting", False)
    _thread.is_waiting = True
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        _thread.is_waiting = was_waiting
        coroutine.close()
    raise RuntimeError("the coroutine waits for something that needs an event loop")


async def run(operation: _native.Operation[T]) -> T:
    """Wait for an operation in a coroutine; cancelling that drops the operation."""
    if operation.poll() or getattr(_thread, "is_waiting", False):
        # Done at once, as in memory: the loop need not turn. Or there is none: see `run_here`.
        return operation.wait()
    from asyncio import get_running_loop  # noqa: PLC0415 - an import of mithril is to be quick

    loop = get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None:
        for other in [loop for loop in _mailboxes if loop.is_closed()]:
            # Its sockets would stay open until a garbage collection finds the loop.
            del _mailboxes[other]
        mailbox = _mailboxes[loop] = _Mailbox(loop)
    return await mailbox.wait(loop, operation)


def _shutdown() -> None:
    _native.shutdown(_SHUTDOWN_SECONDS)


# Handlers run in the opposite order: those that were registered before this module was imported may
# still use stores only synchronously.
atexit.register(_shutdown)
