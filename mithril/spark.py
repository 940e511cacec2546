"""Near-duplicate removal on a cluster of Spark.

    import mithril.spark

    with mithril.spark.deduplicate(spark, "/shared/corpus", scratch="/shared/scratch") as result:
        result.dataframe().write.parquet("/shared/clean")

It needs Spark 4 and pyarrow, the extra ``spark``. Workers need Mithril too.
"""

from __future__ import annotations

import pickle
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mithril.extras import needs

with needs("spark"):
    import pyarrow as pa
    from pyspark import cloudpickle  # pyright: ignore[reportMissingImports] - it is optional

    from mithril.cluster import plan, result, source
    from mithril.cluster.runner import guarded, unguarded

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self, Unpack

    from mithril.cluster.options import Options, Settings
    from mithril.cluster.runner import Calls, Task


@dataclass(frozen=True)
class Reference:
    """Where a value is: a part of a file."""

    path: str
    """The file."""
    start: int
    """Where the value begins there."""
    end: int
    """Where it ends."""

    def read(self) -> Any:  # noqa: ANN401 - any value
        """Read the value."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - a path object adds nothing
            file.seek(self.start)
            return pickle.loads(file.read(self.end - self.start))  # noqa: S301 - written by a task


class SparkRunner:
    """Runs tasks as partitions of ``mapInArrow``, and keeps values in files that all machines see.

    Not by Spark's shuffles: what those wrote is lost with an executor and made again from the
    beginning, where a file stays; and one plan serves whatever can run a function many times.
    """

    def __init__(self, spark: Any, folder: Path) -> None:  # noqa: ANN401 - a SparkSession
        """Take a session, and a new folder for the values."""
        self._spark = spark
        self._folder = folder
        self._steps = 0
        # A cluster of one core more than there are is no worse: Spark Connect does not tell.
        self.parallelism = int(spark.conf.get("spark.default.parallelism", "0") or 0)
        if self.parallelism < 1:
            context = getattr(spark, "_sc", None)
            self.parallelism = 8 if context is None else max(1, context.defaultParallelism)
        folder.mkdir(parents=True)

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        """Run a task for each of `calls`, and wait for all."""
        if not calls:
            return []
        folder = self._next(task.__name__)
        for number, call in enumerate(calls):
            (folder / f"{number}.call").write_bytes(cloudpickle.dumps(tuple(call)))
        frame = self._spark.range(0, len(calls), 1, len(calls))
        work = _working(str(folder), task, returns)
        rows = frame.mapInArrow(work, "call long, ends array<long>").collect()
        ends = {row["call"]: row["ends"] for row in rows}
        return [
            [
                Reference(str(folder / f"{number}.values"), start, end)
                for start, end in zip([0, *ends[number]], ends[number], strict=False)
            ]
            for number in range(len(calls))
        ]

    def share(self, value: object) -> Any:  # noqa: ANN401 - a Reference
        """Write a value into a file."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        path = self._next("shared") / "0.values"
        path.write_bytes(data)
        return Reference(str(path), 0, len(data))

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Read values."""
        return unguarded([reference.read() for reference in references])

    def keep_only(self, references: Sequence[Any]) -> None:
        """Remove the files of all values but those of `references`."""
        keep = {Path(reference.path) for reference in references}
        for path in self._folder.glob("[0-9]*/*"):
            if path not in keep:
                path.unlink()

    def _next(self, name: str) -> Path:
        folder = self._folder / f"{self._steps:04}-{name}"
        self._steps += 1
        folder.mkdir()
        return folder


def _working(folder: str, task: Task, returns: int) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Make the function that runs calls on a worker."""

    def work(batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                ends = _run(Path(folder), number, task, returns)
                columns = {"call": pa.array([number]), "ends": pa.array([ends])}
                yield pa.RecordBatch.from_pydict(columns)

    return work


def _run(folder: Path, number: int, task: Task, returns: int) -> list[int]:
    """Run a call, write its values into a file, and return where each ends."""
    call = pickle.loads((folder / f"{number}.call").read_bytes())  # noqa: S301 - written by the driver
    arguments = [one.read() if isinstance(one, Reference) else one for one in call]
    ends = []
    # Whole or not at all: another run of this call, at the same time even, writes the same.
    hidden = folder / f".{number}-{uuid.uuid4().hex}"
    with hidden.open("wb") as file:
        for value in guarded(task, returns, *arguments):
            pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)
            ends.append(file.tell())
    hidden.replace(folder / f"{number}.values")
    return ends


class SparkResult(result.ClusterResult):
    """Which rows go, and for which; the rows that stay as a data frame.

    Its files are in the scratch folder until it is closed, by `close` or at the end of ``with``.
    """

    def __init__(
        self,
        runner: SparkRunner,
        outcome: plan.Outcome,
        spark: Any,  # noqa: ANN401 - a SparkSession
        folder: Path,
    ) -> None:
        """Wrap the outcome of a plan; results come from `deduplicate`, not from here."""
        super().__init__(runner, outcome)
        self._spark = spark
        self._folder = folder

    def dataframe(self) -> Any:  # noqa: ANN401 - a pyspark.sql.DataFrame
        """Return the rows that stay, with all their columns.

        Files are read again as the data frame is, each by one task. Its schema is that of the
        first file, which all have to have.

        Returns:
            The ``pyspark.sql.DataFrame``.

        Raises:
            DedupException: A file has changed since it was read first; when the data frame is read.
        """
        first = self._outcome.sources[0].table()
        schema = self._spark.createDataFrame(first.slice(0, 0)).schema
        blocks = self._blocks()
        arrow_schema = first.schema

        def read(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                for number in batch.column(0).to_pylist():
                    block, rows, one, duplicates = blocks[number]
                    stay = result.survivors(block, rows, one, duplicates.read())
                    yield from stay.cast(arrow_schema).combine_chunks().to_batches()

        return self._spark.range(0, len(blocks), 1, len(blocks)).mapInArrow(read, schema)

    def duplicates_dataframe(self) -> Any:  # noqa: ANN401 - a pyspark.sql.DataFrame
        """Return the table of duplicates as a ``pyspark.sql.DataFrame``."""
        references = self._outcome.duplicates

        def read(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                for group in batch.column(0).to_pylist():
                    yield from references[group].read().to_batches()

        schema = "id long, kept_id long, jaccard double, exact_copy boolean"
        frame = self._spark.range(0, len(references), 1, len(references))
        return frame.mapInArrow(read, schema)

    def close(self) -> None:
        """Remove the files of the run; data frames of it can be read no more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Return the result."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files of the run."""
        self.close()


def deduplicate(
    spark: Any,  # noqa: ANN401 - a SparkSession
    data: Any,  # noqa: ANN401 - paths or a pyspark.sql.DataFrame
    text_column: str = "text",
    *,
    scratch: str | os.PathLike[str],
    input_format: str = "auto",
    settings: Settings | None = None,
    **options: Unpack[Options],
) -> SparkResult:
    """Find the near-duplicates in a data frame, or in files, on all machines of the cluster.

    It removes the rows that `mithril.deduplicate` removes with the same options, for the same kept
    rows: those of files in the order in which `mithril.dedup_files` reads them, those of a data
    frame in the order of the files that Spark writes of it.

    Args:
        spark: The session.
        data: Files, folders and glob patterns of Parquet or JSON lines, which all machines find
            under the same paths: a task reads one or more whole, so that many of some 100 MB are
            better than a few. Or a ``pyspark.sql.DataFrame``, which is written into `scratch` as
            Parquet first.
        text_column: The column that holds the texts.
        scratch: A folder that the driver and all machines find under the same path. What tasks
            leave for others is there while it runs, and the table of duplicates until the result
            is closed.
        input_format: The format of files, ``"parquet"`` or ``"jsonl"``; by their names if
            ``"auto"``.
        settings: How the work is dealt out; it never changes the result.
        **options: As in `mithril.deduplicate`.

    Returns:
        The duplicates, the rows that stay, and a report.

    Raises:
        InvalidArgumentException: An option is out of range, or the column is not there.
        NotFoundException: An input does not exist.
        TypeError: There is no such option.
        DedupException: A file is damaged, or changes while it is read.
    """
    folder = Path(scratch).absolute() / f"mithril-{uuid.uuid4().hex}"
    runner = SparkRunner(spark, folder)
    try:
        inputs: Any = data
        if hasattr(data, "mapInArrow"):
            inputs, input_format = folder / "input", "parquet"
            data.write.parquet(str(inputs))
        sources = source.find_files(inputs, text_column=text_column, input_format=input_format)
        outcome = plan.deduplicate(runner, sources, options, settings or {})
        runner.keep_only(outcome.duplicates)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return SparkResult(runner, outcome, spark, folder)
