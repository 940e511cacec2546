"""Tasks that note where they run, and of which one of each phase takes its worker with it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from mithril.cluster.runner import Calls, Runner, Task

ROUNDS = {"pivots", "fingerprints"}
"""What runs where too many rows of crowds are alike for a join."""
PHASES = {
    "sign",
    "find_copies",
    "candidates",
    "measure",
    "spread",
    "count_shingles",
    "add_counts",
    "postings",
    "measure_join",
    "join",
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


class DeadlyRunner:
    """Another runner, which loses a worker in each phase."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self.runner = runner
        self.parallelism = runner.parallelism
        self.share, self.get = runner.share, runner.get
        self.folder = folder
        folder.mkdir()

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        return self.runner.run(Deadly(task, self.folder), calls, returns)

    def killed(self) -> dict[str, int]:
        """The process that each phase has lost."""
        return {path.name: int(path.read_text()) for path in self.folder.iterdir()}


class Deadly:
    """A task whose first call does its work, and is killed before anybody gets it."""

    def __init__(self, task: Task, folder: Path) -> None:
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
