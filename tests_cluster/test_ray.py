"""Deduplication on Ray removes what one machine removes, whatever happens to its workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import ray
import ray.data
from cluster_texts import CORPORA, at_once, bounds, corpus, rows_of, run_example, table, write
from phases import PHASES, ROUNDS, DeadlyRunner

import mithril.ray
from mithril.cluster import plan
from mithril.cluster.options import Settings
from mithril.cluster.source import find_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        address="local",
        num_cpus=2,
        _node_ip_address="127.0.0.1",
        include_dashboard=False,
        object_store_memory=512 << 20,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.mark.parametrize("name", CORPORA)
def test_files_lose_the_rows_that_one_machine_removes(name: str, tmp_path: Path) -> None:
    write(name, tmp_path)
    texts, options = corpus(name)
    result = mithril.ray.deduplicate(tmp_path, **options)
    assert rows_of(result, bounds(len(texts))) == at_once(name)
    report = result.report
    assert (report.documents, report.removed) == (len(texts), len(at_once(name)))
    # Work was done by two workers at least, and none by the driver.
    assert len(report.processes) >= 2
    assert os.getpid() not in report.processes

    gone = {row for row, *_ in at_once(name)}
    stay = [row["n"] for row in result.dataset().take_all()]
    assert sorted(stay) == [row for row in range(len(texts)) if row not in gone]
    assert result.duplicates_dataset().count() == len(gone)


@pytest.mark.parametrize("name", CORPORA)
def test_a_dataset_loses_the_rows_that_one_machine_removes(name: str) -> None:
    texts, options = corpus(name)
    ends = bounds(len(texts))
    blocks = [table(texts, *ends[file : file + 2]) for file in range(len(ends) - 1)]
    result = mithril.ray.deduplicate(ray.data.from_arrow(blocks), **options)
    assert rows_of(result, ends) == at_once(name)
    gone = {row for row, *_ in at_once(name)}
    rows = result.dataset().take_all()
    assert sorted(row["n"] for row in rows) == [n for n in range(len(texts)) if n not in gone]
    assert all(row["text"] == texts[row["n"]] for row in rows)


@pytest.mark.parametrize("name", CORPORA)
def test_edges_past_the_budget_of_the_driver_give_the_same_answer(
    name: str, tmp_path: Path
) -> None:
    write(name, tmp_path)
    texts, options = corpus(name)
    settings = Settings(max_driver_edges=10, groups=9, crowd=4, pivots=2)
    result = mithril.ray.deduplicate(tmp_path, settings=settings, **options)
    assert not result.report.edges_on_driver
    assert rows_of(result, bounds(len(texts))) == at_once(name)


@pytest.mark.parametrize(
    ("name", "joined", "phases"),
    [
        ("unlike", plan.JOINED_PAIRS, PHASES),
        ("real", 0, (PHASES - {"join"}) | ROUNDS),
        ("skew", 0, (PHASES - {"join"}) | ROUNDS),
    ],
)
def test_a_worker_that_is_killed_in_each_phase_changes_nothing(
    name: str, joined: int, phases: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "JOINED_PAIRS", joined)
    write(name, tmp_path)
    texts, options = corpus(name)
    runner = DeadlyRunner(mithril.ray.RayRunner(), tmp_path / "killed")
    sources = find_files(sorted(tmp_path.glob("*.parquet")), text_column="text")
    # Crowds of few rows, so that there are rounds.
    outcome = plan.deduplicate(runner, sources, options, {"crowd": 4, "pivots": 1})
    result = mithril.ray.RayResult(runner.runner, outcome)
    assert rows_of(result, bounds(len(texts))) == at_once(name)
    killed = runner.killed()
    # In the end nothing may be left to be joined.
    assert phases <= killed.keys() <= phases | {"join"}
    # Each phase took a worker with it.
    assert len(set(killed.values())) == len(killed)


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    result = run_example("ray", tmp_path / "shared", {})["result"]
    assert result.duplicates().num_rows == 3
    place = result.locate(5497558138880)
    assert (place.block, place.row) == (5, 0)
    assert place.path.endswith("corpus/part-5.parquet")
    assert sum(len(rows) for rows in map(pq.read_table, (tmp_path / "shared/clean").iterdir())) == 3


def test_what_a_task_raises_is_raised_here(tmp_path: Path) -> None:
    write("chain", tmp_path)
    with pytest.raises(mithril.InvalidArgumentException, match='no column "body"') as raised:
        mithril.ray.deduplicate(tmp_path, "body")
    assert raised.value.kind == "missing_column"
    (tmp_path / "4.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(mithril.DedupException, match=r"4\.parquet"):
        mithril.ray.deduplicate(tmp_path)
    with pytest.raises(mithril.NotFoundException):
        mithril.ray.deduplicate(tmp_path / "nowhere")
