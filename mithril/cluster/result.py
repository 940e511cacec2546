"""What comes out of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

    from mithril.cluster.plan import Outcome
    from mithril.cluster.report import ClusterReport
    from mithril.cluster.runner import Runner
    from mithril.cluster.source import Source

ROW_BITS = 40


class Location(NamedTuple):
    """Where a row is."""

    block: int
    """The number of its block, in the order of the input."""
    row: int
    """Its place there, from zero."""
    path: str | None
    """The file that the block is, if it is one."""


class ClusterResult:
    """Which rows go, and for which; the rows that stay are read when they are asked for."""

    def __init__(self, runner: Runner, outcome: Outcome) -> None:
        """Wrap the outcome of a plan; results come from runs, not from here."""
        self._runner = runner
        self._outcome = outcome

    @property
    def report(self) -> ClusterReport:
        """The account of the run."""
        return self._outcome.report

    def duplicates(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        """Bring the table of duplicates here.

        Returns:
            A ``pyarrow.Table`` with a row for each removed one, in the order of the input: ``id``,
            ``kept_id`` (int64; `locate` says where they are), ``jaccard`` (float64), ``exact_copy``
            (bool).
        """
        return pa.concat_tables(self._runner.get(self._outcome.duplicates))

    def locate(self, number: int) -> Location:
        """Say where a row is.

        Args:
            number: An id of the table of duplicates: the number of the block times 2⁴⁰, and the
                row.

        Returns:
            The block, the row there, and the file.
        """
        block = int(number) >> ROW_BITS
        path = getattr(self._outcome.sources[block], "path", None)
        return Location(block, int(number) & ((1 << ROW_BITS) - 1), path)

    def _blocks(self) -> list[tuple[int, int, Source, Any]]:
        """For each block what `survivors` takes, of the duplicates a reference."""
        outcome = self._outcome
        ends = [*outcome.groups[1:], len(outcome.sources)]
        groups = zip(outcome.groups, ends, outcome.duplicates, strict=True)
        return [
            (block, outcome.lengths[block], outcome.sources[block], duplicates)
            for first, end, duplicates in groups
            for block in range(first, end)
        ]

    def __repr__(self) -> str:
        """Say how many rows stay and go."""
        report = self.report
        return f"<{type(self).__name__}: {report.kept:,} rows stay, {report.removed:,} go>"


def keep_of_block(block: int, rows: int, duplicates: Any) -> npt.NDArray[np.bool_]:  # noqa: ANN401
    """Say which rows of a block stay.

    Args:
        block: The number of the block.
        rows: How many it has.
        duplicates: The duplicates of its group, or of all, in the order of ids.

    Returns:
        For each row whether it is kept.
    """
    ids = duplicates["id"].to_numpy()
    start, end = np.searchsorted(ids, [block << ROW_BITS, (block + 1) << ROW_BITS])
    keep = np.ones(rows, bool)
    keep[ids[start:end] & ((1 << ROW_BITS) - 1)] = False
    return keep


def survivors(block: int, rows: int, source: Source, duplicates: Any) -> Any:  # noqa: ANN401
    """Read the rows of a block that stay: a task.

    Args:
        block: The number of the block.
        rows: How many it has.
        source: The block.
        duplicates: The duplicates of its group.

    Returns:
        The rows as a ``pyarrow.Table``.
    """
    return source.table(keep_of_block(block, rows, duplicates))
