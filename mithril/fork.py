"""Forks, at whatever moment they come.

The threads and connections of the engine belong to a process; a child makes its own. What is left
is to fork at no moment at which another thread is halfway through something that the child would
wait for.
"""

from __future__ import annotations

import os
import threading

from mithril import _native


def _before_fork() -> None:
    # With one thread nobody is halfway through anything, and numpy need not be imported for this.
    if threading.active_count() > 1:
        _native.prepare_numpy()
    _native.before_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_native.after_fork,
        after_in_child=_native.after_fork,
    )
