"""Deduplicates files while machines are lost: a process that test_ray_nodes.py starts."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from cluster_texts import at_once, bounds, corpus, rows_of
from ray.cluster_utils import Cluster

import mithril.ray
from mithril.cluster import plan
from mithril.cluster.source import find_files

if TYPE_CHECKING:
    from mithril.cluster.runner import Calls, Task

MEMORY = 256 << 20


def loopback_up() -> None:
    """What ``ip link set lo up`` does."""
    get_flags, set_flags, up = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, request))
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", name, flags | up))


class LosingRunner(mithril.ray.RayRunner):
    """A runner that loses a machine after each of some phases, and gets another."""

    def __init__(self, cluster: Any) -> None:
        super().__init__()
        self.cluster = cluster
        self.nodes = [self._add() for _ in range(2)]
        self.cluster.wait_for_nodes()
        self.parallelism = 2
        self.phases = {"sign", "pick", "assign"}

    def _add(self) -> Any:
        return self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        ran = super().run(task, calls, returns)
        if task.__name__ in self.phases:
            self.phases.remove(task.__name__)
            # All is done, and half of it is gone before anybody gets it.
            ray.wait([one for values in ran for one in values], num_returns=len(ran) * returns)
            self.cluster.remove_node(self.nodes.pop(0), allow_graceful=False)
            self.nodes.append(self._add())
        return ran


def main() -> None:
    """Run, and say how many machines were lost."""
    loopback_up()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    folder = Path(sys.argv[1])
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args=head)
    runner = LosingRunner(cluster)
    sources = find_files(folder, text_column="text")
    texts, options = corpus("real")
    outcome = plan.deduplicate(runner, sources, options, {"groups": 4})
    result = mithril.ray.RayResult(runner, outcome)
    if rows_of(result, bounds(len(texts))) != at_once("real"):
        sys.exit("other rows were removed")
    lost = 3 - len(runner.phases)
    ray.shutdown()
    cluster.shutdown()
    print(f"machines lost: {lost}")  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
