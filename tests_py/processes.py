"""Scripts in processes of their own, with time limits of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 120.0
"""Seconds after which a script counts as hanging; all of them need a few."""


def run(script: str, *arguments: str, limit: float = LIMIT) -> str:
    """Run a script; return what it printed. It must end well and say nothing on stderr."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    ended = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=limit, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


@contextmanager
def started(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a script, which is killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(stream: IO[str] | None) -> str:
    """Wait for a line of a process."""
    assert stream is not None
    return stream.readline().strip()
