"""What `deduplicate` found, and the questions that can be put to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mithril import plot
from mithril.exceptions import of_kind
from mithril.explain import Explanation
from mithril.progress import reporting
from mithril.report import Report
from mithril.rows import kept, with_texts
from mithril.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from mithril import _native
    from mithril.progress import Progress


@dataclass(frozen=True)
class Cluster:
    """A row that is kept, and those that were removed for it."""

    kept_row: int
    """The row that is kept, from zero."""
    rows: list[int]
    """The rows that were removed for it, ascending."""
    jaccard: list[float]
    """The similarity of each of them to the row that is kept; NaN where nothing was verified."""
    against: bool = False
    """Whether the row that is kept is one of ``against``, and no row of the input."""

    def __len__(self) -> int:
        """The number of rows, the kept one included."""
        return 1 + len(self.rows)


@dataclass(frozen=True, eq=False)
class DedupResult:
    """What `deduplicate` found.

    It holds on to the texts, which `explain` and `rethreshold` read. A pickle has all but them.
    """

    keep: npt.NDArray[np.bool_]
    """For each row whether it is kept; shape (rows,)."""
    duplicates: Table
    """The removed rows: ``row``, ``kept_row`` (both from zero), ``jaccard``, ``exact_copy``. For
    the methods ``"lines"`` and ``"paragraphs"`` what was removed within rows: ``row``, ``part``
    (the number of the line or paragraph in its text, from zero), ``kept_row``, ``kept_part`` (where
    it stays), ``count`` (how often it stood), ``text``."""
    report: Report
    """The account of the run."""
    _engine: _native.Deduplication | None = field(default=None, repr=False)

    @property
    def texts(self) -> Table:
        r"""The texts of the rows that are kept, in the column ``text``.

        For the methods ``"lines"`` and ``"paragraphs"`` they are without what was removed.

        Raises:
            InvalidArgumentException: The result comes from a pickle and has no texts; also a
                ValueError.

        Example:
            >>> import mithril
            >>> texts = ["one\nall rights reserved", "All rights reserved\ntwo"]
            >>> result = mithril.deduplicate(texts, method="lines", min_length=10)
            >>> result.texts.to_pylist()
            [{'text': 'one\nall rights reserved'}, {'text': 'two'}]
        """
        return Table(self._texts().texts(self.keep))

    def clusters(self) -> list[Cluster]:
        """Return the kept rows that others were removed for, with these, the largest first.

        Example:
            >>> import mithril
            >>> result = mithril.deduplicate(["one text", "another", "One text!", "one text"])
            >>> result.clusters()
            [Cluster(kept_row=0, rows=[2, 3], jaccard=[1.0, 1.0], against=False)]
        """
        self._check_rows_were_compared()
        rows, kept_rows, jaccard = (
            self.duplicates.column(name).tolist() for name in ("row", "kept_row", "jaccard")
        )
        against = self._against().tolist()
        found: dict[tuple[int, bool], Cluster] = {}
        for row, kept_row, similarity, other in zip(rows, kept_rows, jaccard, against, strict=True):
            cluster = found.setdefault((kept_row, other), Cluster(kept_row, [], [], other))
            cluster.rows.append(row)
            cluster.jaccard.append(similarity)
        return sorted(found.values(), key=lambda one: (-len(one), one.against, one.kept_row))

    def explain(self, row: int) -> Explanation:
        """Say why a row was removed.

        Args:
            row: The row, from zero.

        Returns:
            The row that is kept for it, both texts, and their shingles.

        Raises:
            InvalidArgumentException: The row was not removed, or the result comes from a pickle and
                has no texts; also a ValueError.

        Example:
            >>> import mithril
            >>> texts = ["the cat sat on the mat", "the cat sat on the mat, then left"]
            >>> result = mithril.deduplicate(texts, ngram=2, threshold=0.7)
            >>> print(result.explain(1))
            row 1 was removed for row 0: similarity 0.714, 5 of 7 shingles in common
              removed: the cat sat on the mat, then left
              kept:    the cat sat on the mat
              only in the removed one: mat then | then left
        """
        self._check_rows_were_compared()
        engine = self._texts()
        rows = self.duplicates.column("row")
        at = int(rows.searchsorted(row))
        if not 0 <= row < len(self.keep):
            raise of_kind("invalid_argument", f"no row {row}: there are {len(self.keep):,}")
        if at == len(rows) or rows[at] != row:
            raise of_kind("invalid_argument", f"row {row} was not removed")
        kept_row = int(self.duplicates.column("kept_row")[at])
        jaccard = float(self.duplicates.column("jaccard")[at])
        against = bool(self._against()[at])
        kept_text = engine.text(kept_row, against=against)
        if kept_text is None:
            message = (
                f"row {row} was removed for document {kept_row} of the index, which keeps no texts"
            )
            raise of_kind("invalid_argument", message)
        _, common, only_removed, only_kept = engine.explain(row, kept_row, against)
        return Explanation(
            row=row,
            kept_row=kept_row,
            jaccard=None if jaccard != jaccard else jaccard,  # noqa: PLR0124 - NaN
            exact_copy=bool(self.duplicates.column("exact_copy")[at]),
            text=engine.text(row, against=False) or "",
            kept_text=kept_text,
            common=common,
            only_removed=only_removed,
            only_kept=only_kept,
            against=against,
        )

    def least_similar(self, count: int = 10) -> list[Explanation]:
        """Explain the removed rows that are least similar to those kept for them.

        If a removal is wrong it is probably among them: look here before you trust a threshold.

        Args:
            count: How many.

        Returns:
            The explanations, the least similar first.

        Raises:
            InvalidArgumentException: The result comes from a pickle and has no texts; also a
                ValueError.
        """
        import numpy as np  # noqa: PLC0415

        self._check_rows_were_compared()
        order = self.duplicates.column("jaccard").argsort(kind="stable")
        if "against" in self.duplicates.column_names:
            # Documents of an index have no texts to look at.
            kept_rows, against = self.duplicates.column("kept_row"), self._against()
            engine = self._texts()
            has_text = [
                not other or engine.text(int(row), against=True) is not None
                for row, other in zip(kept_rows, against, strict=True)
            ]
            order = order[np.array(has_text, np.bool_)[order]]
        order = order[: max(count, 0)]
        return [self.explain(int(row)) for row in self.duplicates.column("row")[order]]

    def rethreshold(self, threshold: float, *, progress: Progress = None) -> DedupResult:
        """Decide once more, at a higher threshold, without another pass over the texts.

        Candidates are the pairs that the bands of this run have found: those above the new
        threshold are found more often than they were promised to be.

        Args:
            threshold: From that of this run to 1.
            progress: As in `deduplicate`.

        Returns:
            The result at that threshold.

        Raises:
            InvalidArgumentException: `threshold` is below that of this run, or the result comes
                from a pickle; also a ValueError.

        Example:
            >>> import mithril
            >>> result = mithril.deduplicate(["a b c d", "a b c e"], ngram=1, threshold=0.5)
            >>> result.keep.tolist(), result.rethreshold(0.9).keep.tolist()
            ([True, False], [True, True])
        """
        self._check_rows_were_compared()
        engine = self._texts()
        with reporting(progress) as report_to:
            keep, duplicates, report = engine.rethreshold(threshold, report_to)
        result = DedupResult(keep, Table(duplicates), Report.from_json(report), engine)
        return result._with_options(keep=self.report.options["keep"])

    def apply(self, rows: Any, text_column: str | None = None) -> Any:  # noqa: ANN401 - any library
        """Return the rows that are kept of whatever has a row for each text.

        Args:
            rows: A table or a column of pyarrow, a DataFrame or Series of pandas or polars, a
                dataset of Hugging Face, an array of numpy, a list or a tuple.
            text_column: For the methods ``"lines"`` and ``"paragraphs"``, and rows with columns:
                the one that takes the texts that are left.

        Returns:
            The same kind of thing with the rows that are kept, in their order.

        Raises:
            InvalidArgumentException: It has another number of rows, or texts are left that have no
                column to go to; also a ValueError.
            TypeError: It is none of these.

        Example:
            >>> import mithril
            >>> mithril.deduplicate(["one text", "One text!", "another"]).apply(["a", "b", "c"])
            ['a', 'c']
        """
        left = kept(rows, self.keep)
        if self.report.repeats is None:
            return left
        import numpy as np  # noqa: PLC0415

        places = np.cumsum(self.keep) - 1
        rows_changed = np.unique(self.duplicates.column("row"))
        changed = places[rows_changed[self.keep[rows_changed]]]
        return with_texts(left, self.texts, changed.tolist(), text_column)

    def plot_similarities(self, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib is optional
        """Draw how similar removed rows are to those kept for them; needs matplotlib.

        Args:
            axes: Where to draw; on new axes if None.

        Returns:
            The axes.
        """
        self._check_rows_were_compared()
        return plot.similarities(self, axes)

    def plot_cluster_sizes(self, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib is optional
        """Draw how many clusters there are of each size; needs matplotlib.

        Args:
            axes: Where to draw; on new axes if None.

        Returns:
            The axes.
        """
        self._check_rows_were_compared()
        return plot.cluster_sizes(self, axes)

    def __repr__(self) -> str:
        """Say how many rows are kept and removed."""
        return f"<mithril.DedupResult: {self.report.kept:,} kept, {self.report.removed:,} removed>"

    def _repr_html_(self) -> str:
        return self.report._repr_html_() + self.duplicates._repr_html_()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle everything but the texts."""
        return DedupResult, (self.keep, self.duplicates, self.report)

    def _check_rows_were_compared(self) -> None:
        if self.report.repeats is not None:
            message = (
                f"method {self.report.options['method']} removes what stands within rows, and "
                "compares no rows; duplicates says what went, and where it stays"
            )
            raise of_kind("invalid_argument", message)

    def _against(self) -> npt.NDArray[np.bool_]:
        import numpy as np  # noqa: PLC0415

        if "against" in self.duplicates.column_names:
            return self.duplicates.column("against")
        return np.zeros(len(self.duplicates), np.bool_)

    def _texts(self) -> _native.Deduplication:
        if self._engine is None:
            raise of_kind("invalid_argument", "a result from a pickle has no texts to look at")
        return self._engine

    def _with_options(self, **options: object) -> DedupResult:
        report = replace(self.report, options=self.report.options | options)
        return replace(self, report=report)


def choose(clusters: Sequence[Cluster], choice: Any, rows: int) -> npt.NDArray[np.int64]:  # noqa: ANN401
    """Let a function choose the row to keep of each cluster.

    Args:
        clusters: The clusters.
        choice: Called with the rows of a cluster, ascending; returns one of them.
        rows: The number of all rows.

    Returns:
        1 for each row that was chosen, and 0 for all others; shape (rows,).

    Raises:
        InvalidArgumentException: The function returned something else.
    """
    import numpy as np  # noqa: PLC0415

    chosen = np.zeros(rows, np.int64)
    for cluster in clusters:
        members = sorted([cluster.kept_row, *cluster.rows])
        row = choice(members)
        if row not in members:
            message = (
                f"keep must return one of the rows {members[:10]} that it is given, not {row!r}"
            )
            raise of_kind("invalid_argument", message)
        chosen[int(row)] = 1
    return chosen
