"""A machine that is lost with all that it held: here a raylet with its workers and its store of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import ray
from corpora import at_once, bounds, corpus, rows_of, write
from ray.cluster_utils import Cluster

import mithril.ray
from mithril.cluster import plan
from mithril.cluster.source import find_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head on which no task runs, and two nodes with a processor each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    memory = {"object_store_memory": 256 << 20}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={**head, **memory})
    cluster.nodes = [cluster.add_node(num_cpus=1, **memory) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


class LosingRunner(mithril.ray.RayRunner):
    """A runner that loses a machine after each of some phases, and gets another."""

    cluster: Any
    phases: set[str]

    def run(
        self,
        task: Callable[..., tuple[Any, ...]],
        calls: Sequence[Sequence[Any]],
        returns: int,
    ) -> list[list[Any]]:
        ran = super().run(task, calls, returns)
        if task.__name__ in self.phases:
            self.phases.remove(task.__name__)
            # All is done, and half of it is gone before anybody gets it.
            ray.wait([one for values in ran for one in values], num_returns=len(ran) * returns)
            self.cluster.remove_node(self.cluster.nodes.pop(0), allow_graceful=False)
            self.cluster.nodes.append(
                self.cluster.add_node(num_cpus=1, object_store_memory=256 << 20)
            )
        return ran


def test_what_a_machine_held_is_made_again(machines: Any, tmp_path: Path) -> None:
    write("real", tmp_path)
    texts, options = corpus("real")
    runner = LosingRunner()
    runner.cluster, runner.phases = machines, {"sign", "pick", "assign"}
    sources = find_files(tmp_path, text_column="text")
    outcome = plan.deduplicate(runner, sources, options, {"groups": 4})
    assert not runner.phases
    result = mithril.ray.RayResult(runner, outcome)
    assert rows_of(result, bounds(len(texts))) == at_once("real")
