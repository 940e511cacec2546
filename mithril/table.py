"""A table in Arrow memory, for whatever library the caller has."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from mithril import _native

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

_SHOWN = 10
_AT_ONCE = 1024
"""Rows that are made into dictionaries together."""


class Table:
    """A table in Arrow memory.

    It speaks the Arrow PyCapsule interface: ``pyarrow.table(table)``, ``polars.DataFrame(table)``
    and ``duckdb.from_arrow(table)`` take it without a copy. None of these libraries is needed for
    the rest.
    """

    def __init__(self, native: _native.Table) -> None:
        """Wrap a table of the engine; tables come from results, not from here."""
        self._native = native

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the table as an Arrow C stream."""
        return self._native.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._native)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns in their order."""
        return self._native.column_names

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column as an array of numpy, a copy.

        Args:
            name: The name of the column.

        Returns:
            The values; shape (rows,). Null becomes NaN.

        Raises:
            KeyError: There is no such column.
        """
        return self._native.column(name)

    def to_pyarrow(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        """Return a ``pyarrow.Table`` over the same memory; needs pyarrow."""
        import pyarrow as pa  # noqa: PLC0415

        return pa.table(self)

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """Return a ``pandas.DataFrame``; needs pandas and pyarrow."""
        return self.to_pyarrow().to_pandas()

    def to_polars(self) -> Any:  # noqa: ANN401 - polars is optional
        """Return a ``polars.DataFrame`` over the same memory; needs polars."""
        import polars as pl  # noqa: PLC0415

        return pl.DataFrame(self)

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return a dictionary for each row; needs no other library."""
        return self._native.rows(0, len(self))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the rows, each a dictionary."""
        for start in range(0, len(self), _AT_ONCE):
            yield from self._native.rows(start, start + _AT_ONCE)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the table as an Arrow IPC stream."""
        return _from_ipc, (self._native.to_ipc(),)

    def __repr__(self) -> str:
        """Name the columns and the number of rows."""
        return f"<mithril.Table of {len(self):,} rows: {', '.join(self.column_names)}>"

    def _repr_html_(self) -> str:
        style = "style='text-align:right;padding:.2em .6em'"
        head = "".join(f"<th {style}>{escape(name)}</th>" for name in self.column_names)
        rows = "".join(
            "<tr>"
            + "".join(f"<td {style}>{escape(_cell(value))}</td>" for value in row.values())
            + "</tr>"
            for row in self._native.rows(0, _SHOWN)
        )
        more = f"<p>{len(self) - _SHOWN:,} more rows</p>" if len(self) > _SHOWN else ""
        table = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
        return f"<table style='color:inherit;margin-top:1em'>{table}</table>{more}"


def _from_ipc(stream: bytes) -> Table:
    return Table(_native.Table.from_ipc(stream))


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
