"""Run a command to its end, and see what it took."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOKED_AT_EVERY = 0.02
TREE_LOOKED_AT_EVERY = 0.1


@dataclass(frozen=True)
class Run:
    """What a run took."""

    seconds: float
    peak: int
    """The most resident memory of the process in bytes, files that are mapped included."""
    processor: float
    """Seconds of processors, of the process and those it waited for."""
    tree: int
    """The most memory of the process and all below it together, in bytes; 0 if not asked for."""


def watched(
    command: Sequence[str | Path],
    environment: dict[str, str] | None = None,
    *,
    with_children: bool = False,
) -> Run:
    """Run a command; it has to succeed."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    status, peak, tree, next_look = Path(f"/proc/{process.pid}/status"), 0, 0, start
    while process.poll() is None:
        # What it says of the most memory so far; it is gone when the process is.
        with contextlib.suppress(OSError, StopIteration):
            peak = kibibytes(status, "VmHWM:")
        if with_children and time.perf_counter() >= next_look:
            next_look = time.perf_counter() + TREE_LOOKED_AT_EVERY
            tree = max(tree, sum(map(memory_of, below(process.pid))))
        time.sleep(LOOKED_AT_EVERY)
    if process.returncode:
        sys.exit(f"{command} failed with {process.returncode}")
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Run(seconds, peak, processor, tree)


def below(process: int) -> Iterator[int]:
    """Yield a process and those that it and these have started, as far as they are still there."""
    yield process
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in tasks.read_text().split():
                yield from below(int(child))


def memory_of(process: int) -> int:
    """Return the bytes of a process's memory; of what several share, each has its part (PSS)."""
    with contextlib.suppress(OSError, StopIteration):
        return kibibytes(Path(f"/proc/{process}/smaps_rollup"), "Pss:")
    return 0


def kibibytes(path: Path, name: str) -> int:
    """Return a number of bytes that a file of the system says in kB."""
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
