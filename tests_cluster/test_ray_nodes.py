"""A machine that is lost with all that it held: a raylet, its workers and its store of objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cluster_texts import write

# Nodes talk to each other over the address of the machine, which a firewall may close; a network of
# their own has none but that of the loopback.
OWN_NETWORK = ["unshare", "--map-root-user", "--net"]
SCRIPT = "import fcntl, socket, struct, sys\n"
LOST = Path(__file__).with_name("lost_machine.py")


def has_own_network() -> bool:
    try:
        return subprocess.run([*OWN_NETWORK, "true"], check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_own_network(), reason="this system gives no process its own network")
def test_what_a_machine_held_is_made_again(tmp_path: Path) -> None:
    write("real", tmp_path)
    command = [*OWN_NETWORK, sys.executable, str(LOST), str(tmp_path)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == "machines lost: 3"
