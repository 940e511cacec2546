"""Deduplication on Spark removes what one machine removes, whatever happens to its workers."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cluster_texts import CORPORA, at_once, bounds, corpus, rows_of, run_example, write
from phases import PHASES, DeadlyRunner
from pyspark.sql import SparkSession

import mithril.spark
from mithril.cluster import plan
from mithril.cluster.options import Settings
from mithril.cluster.source import find_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="Spark runs on Java 17 or newer, which this machine does not have",
    ),
]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A master and two executors, each a process of its own with Python workers of its own."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.task.maxFailures", "20")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(sys.path))
        .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.parametrize("name", CORPORA)
def test_files_lose_the_rows_that_one_machine_removes(
    name: str, spark: Any, tmp_path: Path
) -> None:
    folder, scratch = tmp_path / "input", tmp_path / "scratch"
    folder.mkdir()
    write(name, folder)
    texts, options = corpus(name)
    with mithril.spark.deduplicate(spark, folder, scratch=scratch, **options) as result:
        assert rows_of(result, bounds(len(texts))) == at_once(name)
        assert len(result.report.processes) >= 2
        assert os.getpid() not in result.report.processes
        gone = {row for row, *_ in at_once(name)}
        stay = sorted(row["n"] for row in result.dataframe().select("n").collect())
        assert stay == [row for row in range(len(texts)) if row not in gone]
        assert result.duplicates_dataframe().count() == len(gone)
    assert not list(scratch.iterdir())


def test_the_example_of_the_page_runs(spark: Any, tmp_path: Path) -> None:
    run_example("spark", tmp_path / "shared", {"spark": spark})
    assert spark.read.parquet(str(tmp_path / "shared" / "clean")).count() == 3
    assert not list((tmp_path / "shared" / "scratch").iterdir())


def test_a_data_frame_loses_what_its_files_do(spark: Any, tmp_path: Path) -> None:
    write("chain", tmp_path)
    texts, options = corpus("chain")
    frame = spark.read.parquet(str(tmp_path)).repartition(5)
    scratch = tmp_path / "scratch"
    with mithril.spark.deduplicate(spark, frame, scratch=scratch, **options) as result:
        stay = {row["n"]: row["text"] for row in result.dataframe().collect()}
        # In another order other rows are kept; none is lost for nothing.
        assert len(stay) + result.report.removed == len(texts)
        assert all(texts[n] == text for n, text in stay.items())
        files = sorted({str(result.locate(one << 40).path) for one in range(5)})
    assert len(files) == 5


@pytest.mark.parametrize("name", CORPORA)
def test_edges_past_the_budget_of_the_driver_give_the_same_answer(
    name: str, spark: Any, tmp_path: Path
) -> None:
    write(name, tmp_path)
    texts, options = corpus(name)
    settings = Settings(max_driver_edges=10, crowd=4, pivots=2)
    scratch = tmp_path / "scratch"
    files = sorted(tmp_path.glob("*.parquet"))
    with mithril.spark.deduplicate(
        spark, files, scratch=scratch, settings=settings, **options
    ) as result:
        assert not result.report.edges_on_driver
        assert rows_of(result, bounds(len(texts))) == at_once(name)


def test_a_worker_that_is_killed_in_each_phase_changes_nothing(spark: Any, tmp_path: Path) -> None:
    write("real", tmp_path)
    texts, options = corpus("real")
    alive = mithril.spark.SparkRunner(spark, tmp_path / "scratch")
    runner = DeadlyRunner(alive, tmp_path / "killed")
    sources = find_files(sorted(tmp_path.glob("*.parquet")), text_column="text")
    outcome = plan.deduplicate(runner, sources, options, {"crowd": 4, "pivots": 1})
    result = mithril.spark.SparkResult(alive, outcome, spark, tmp_path / "scratch")
    assert rows_of(result, bounds(len(texts))) == at_once("real")
    killed = runner.killed()
    assert killed.keys() == PHASES
    assert len(set(killed.values())) == len(PHASES)


def test_what_a_task_raises_is_raised_here(spark: Any, tmp_path: Path) -> None:
    write("chain", tmp_path)
    files, scratch = sorted(tmp_path.glob("*.parquet")), tmp_path / "scratch"
    with pytest.raises(mithril.InvalidArgumentException, match='no column "body"') as raised:
        mithril.spark.deduplicate(spark, files, "body", scratch=scratch)
    assert raised.value.kind == "missing_column"
    with pytest.raises(mithril.NotFoundException):
        mithril.spark.deduplicate(spark, tmp_path / "nowhere", scratch=scratch)
    assert not list(scratch.iterdir())
