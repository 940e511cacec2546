"""Near-duplicate removal on a cluster of Ray.

    import mithril.ray

    result = mithril.ray.deduplicate("/shared/corpus")
    result.dataset().write_parquet("/shared/clean")

It needs Ray and pyarrow, the extra ``ray``. Workers need Mithril too.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mithril.extras import needs

with needs("ray"):
    import pyarrow as pa

    from mithril.cluster import plan, result, source
    from mithril.cluster.runner import guarded, unguarded

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Unpack

    import numpy as np
    import numpy.typing as npt

    from mithril import _native
    from mithril.cluster.options import Options, Settings
    from mithril.cluster.runner import Calls, Task

    # Where Ray is not installed, a type checker would take ``import ray`` for this file.
    ray: Any = None
    ray_data: Any = None
else:
    with needs("ray"):
        import ray
        from ray import data as ray_data

# Tasks are pure, and a worker that dies is often one of many that a machine took with it.
MAX_RETRIES = 8


def _guarded_one(task: Task, *arguments: Any) -> Any:  # noqa: ANN401
    """Run a task of one value, which Ray takes for the value and not for a tuple of it."""
    (value,) = guarded(task, 1, *arguments)
    return value


_of_one = ray.remote(num_cpus=1)(_guarded_one)
_of_many = ray.remote(num_cpus=1)(guarded)


class RayRunner:
    """Runs tasks as remote functions of Ray, each on one processor.

    Not as maps and shuffles of Ray Data: a map with a keyed repartition after it runs on one worker
    unless the map is materialized between them, and of texts only those that are to be compared
    move. A task whose worker died is run again, and what was lost with a machine is made again from
    what it was made of.
    """

    def __init__(self, max_retries: int = MAX_RETRIES) -> None:
        """Take the cluster that Ray is connected to, and connect if it is not."""
        if not ray.is_initialized():
            ray.init()
        self.parallelism = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._max_retries = max_retries

    def run(self, task: Task, calls: Calls, returns: int) -> list[list[Any]]:
        """Run a task for each of `calls`; references come back at once."""
        options = {"name": task.__name__, "max_retries": self._max_retries}
        if returns == 1:
            remote = _of_one.options(**options)
            return [[remote.remote(task, *call)] for call in calls]
        remote = _of_many.options(num_returns=returns, **options)
        return [remote.remote(task, returns, *call) for call in calls]

    def share(self, value: object) -> Any:  # noqa: ANN401 - an ObjectRef
        """Put a value into the store of objects."""
        return ray.put(value)

    def get(self, references: Sequence[Any]) -> list[Any]:
        """Bring values here."""
        return unguarded(ray.get(list(references)))


@dataclass(frozen=True)
class RefSource:
    """A block of a dataset in the store of objects."""

    reference: Any
    """The ``ObjectRef`` of the ``pyarrow.Table``."""
    text_column: str
    """The column of its texts."""

    def texts(self) -> _native.Texts:
        """Take the texts."""
        return self._rows().texts()

    def table(self, keep: npt.NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401 - pyarrow
        """Take the rows."""
        return self._rows().table(keep)

    def _rows(self) -> source.TableSource:
        return source.TableSource(ray.get(self.reference), self.text_column)


class RayResult(result.ClusterResult):
    """Which rows go, and for which; the rows that stay as a dataset."""

    def dataset(self) -> Any:  # noqa: ANN401 - a ray.data.Dataset
        """Return the rows that stay, with all their columns.

        Files are read again as the dataset is, a file at a time; blocks of a dataset are filtered
        where they are.

        Returns:
            The ``ray.data.Dataset``.

        Raises:
            DedupException: A file has changed since it was read first; when the dataset is read.
        """
        outcome = self._outcome
        are_files = all(isinstance(one, source.FileSource) for one in outcome.sources)
        task = ray.remote(max_retries=MAX_RETRIES)(_lazily if are_files else result.survivors)
        found = ray_data.from_arrow_refs([task.remote(*block) for block in self._blocks()])
        return found.map_batches(_read, batch_format="pyarrow") if are_files else found

    def duplicates_dataset(self) -> Any:  # noqa: ANN401 - a ray.data.Dataset
        """Return the table of duplicates as a ``ray.data.Dataset``, which stays where it is."""
        return ray_data.from_arrow_refs(self._outcome.duplicates)


def _lazily(block: int, rows: int, file: source.FileSource, duplicates: Any) -> Any:  # noqa: ANN401
    """What `_read` reads: a row with a file, and the rows of it that stay."""
    keep = result.keep_of_block(block, rows, duplicates)
    return pa.table({"file": [pickle.dumps(file)], "keep": [keep.tobytes()]})


def _read(batch: Any) -> Iterator[Any]:  # noqa: ANN401 - a pyarrow.Table
    import numpy as np  # noqa: PLC0415 - this runs elsewhere

    for file, keep in zip(batch["file"], batch["keep"], strict=True):
        one: source.FileSource = pickle.loads(file.as_py())  # noqa: S301 - made above
        yield one.table(np.frombuffer(keep.as_py(), np.bool_))


def deduplicate(
    data: Any,  # noqa: ANN401 - paths or a ray.data.Dataset
    text_column: str = "text",
    *,
    input_format: str = "auto",
    settings: Settings | None = None,
    **options: Unpack[Options],
) -> RayResult:
    """Find the near-duplicates in a dataset, or in files, on all machines of the cluster.

    It removes the rows that `mithril.deduplicate` removes with the same options, for the same kept
    rows: those of a dataset in the order of its blocks, those of files in the order in which
    `mithril.dedup_files` reads them.

    Args:
        data: Files, folders and glob patterns of Parquet or JSON lines, which all machines find
            under the same paths: a task reads one or more whole, so that many of some 100 MB are
            better than a few. Or a ``ray.data.Dataset``, which is materialized first.
        text_column: The column that holds the texts.
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
    runner = RayRunner()
    sources: Sequence[Any]
    if isinstance(data, ray_data.Dataset):
        blocks = data.materialize().to_arrow_refs()
        sources = [RefSource(reference, text_column) for reference in blocks]
    else:
        inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = data
        sources = source.find_files(inputs, text_column=text_column, input_format=input_format)
    outcome = plan.deduplicate(runner, sources, options, settings or {})
    return RayResult(runner, outcome)
