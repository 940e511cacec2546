"""Runs a server until standard input ends, then stops it and removes its folder.

    python supervise.py FOLDER COMMAND [ARGUMENT ...]

The input is a pipe from the tests: it ends when they end, however that comes about, so that no
server outlives them. The server runs in the folder and writes what it has to say to server.log.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path


def main(folder: Path, command: list[str]) -> None:
    """Start the server, wait for the end of the input, and clean up."""
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    sys.stdin.buffer.read()
    with contextlib.suppress(ProcessLookupError):
        # The server's children too: the session's group has the server's id.
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    # What ends a terminal or a group of processes ends the tests as well, whose end is waited for.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(Path(sys.argv[1]), sys.argv[2:])
