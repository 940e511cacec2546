"""Tasks that note where they run, and of which one of each phase takes its worker with it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PHASES = {
    "sign",
    "find_copies",
    "candidates",
    "pivots",
    "measure",
    "spread",
    "fingerprints",
    "combine",
    "gather",
    "pick",
    "select",
    "verify",
    "collect",
    "assign",
    "resolve",
    "finish",
}


class Deadly:
    """A task whose first call does its work, and is killed before anybody gets it."""

    def __init__(self, task: Callable[..., tuple[Any, ...]], folder: Path) -> None:
        self.task = task
        self.folder = folder
        self.__name__ = task.__name__

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        values = self.task(*arguments)
        try:
            # Only one process of all succeeds.
            with (self.folder / self.__name__).open("x") as note:
                note.write(str(os.getpid()))
        except FileExistsError:
            return values
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
