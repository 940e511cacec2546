"""Rows of whatever library the caller has, without those that a result removes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from mithril.exceptions import of_kind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mithril.table import Table


def kept(rows: Any, keep: npt.NDArray[np.bool_]) -> Any:  # noqa: ANN401 - whatever library
    """Return the rows that are kept, as the same kind of thing.

    Args:
        rows: A table or a column of pyarrow, pandas or polars, a dataset of Hugging Face, an array
            of numpy, a list or a tuple.
        keep: For each row whether it is kept.

    Raises:
        InvalidArgumentException: It has another number of rows; also a ValueError.
        TypeError: It is none of these.
    """
    library = _library(rows)
    if len(rows) != len(keep):
        message = f"{len(rows):,} rows, and the result is of {len(keep):,}"
        raise of_kind("invalid_argument", message)
    if library == "pyarrow":
        import pyarrow as pa  # noqa: PLC0415

        return rows.filter(pa.array(keep))
    if library == "polars":
        return rows.filter(keep)
    if library in ("pandas", "numpy"):
        return rows[keep]
    if library == "datasets":
        return rows.select(keep.nonzero()[0])
    if isinstance(rows, (list, tuple)):
        return type(rows)(itertools.compress(rows, keep.tolist()))
    message = f"rows of {type(rows).__qualname__} cannot be taken; use the mask in keep"
    raise TypeError(message)


def with_texts(
    rows: Any,  # noqa: ANN401
    texts: Table,
    changed: list[int],
    column: str | None,
) -> Any:  # noqa: ANN401
    """Return rows with other texts.

    Args:
        rows: What `kept` gave.
        texts: A text for each row, in the column ``text``.
        changed: The places of those that are not as they were.
        column: The column of the rows that holds texts; None if the rows are texts.

    Raises:
        InvalidArgumentException: `column` is missing, or the rows have no columns; also a
            ValueError.
    """
    library = _library(rows)
    _check_column(rows, column)
    if library == "pyarrow":
        return _with_texts_of_arrow(rows, texts, column)
    if library == "polars":
        import polars as pl  # noqa: PLC0415

        series = pl.Series(column or rows.name, texts.to_polars()["text"], dtype=pl.String)
        return series if column is None else rows.with_columns(series)
    values = [row["text"] for row in texts.to_pylist()]
    return _with_texts_of_python(rows, values, changed, column)


def _check_column(rows: Any, column: str | None) -> None:  # noqa: ANN401
    has_columns = hasattr(rows, "column_names") or hasattr(rows, "columns")
    if has_columns != (column is not None):
        message = "the rows are texts themselves: no text_column"
        if has_columns:
            message = "text_column must name the column that takes the texts that are left"
        raise of_kind("invalid_argument", message)
    names = getattr(rows, "column_names", None) or list(getattr(rows, "columns", []))
    if column is not None and list(names).count(column) != 1:
        raise of_kind("invalid_argument", f"there is no column {column!r}, or more than one")


def _with_texts_of_python(
    rows: Any,  # noqa: ANN401
    values: list[str],
    changed: list[int],
    column: str | None,
) -> Any:  # noqa: ANN401
    library = _library(rows)
    if library == "pandas":
        if column is None:
            return _replaced(rows.copy(), values, changed)
        rows = rows.copy()
        rows[column] = _replaced(rows[column].copy(), values, changed)
        return rows
    if library == "datasets":
        names = rows.column_names
        replaced = rows.remove_columns([column]).add_column(column, values)
        return replaced.cast(rows.features).select_columns(names)
    if library == "numpy":
        rows = rows.copy()
        for place in changed:
            rows[place] = values[place]
        return rows
    # Those that stay as they were are no copies: they may have what UTF-8 cannot.
    replaced = list(rows)
    for place in changed:
        replaced[place] = values[place]
    return type(rows)(replaced)


def _replaced(series: Any, values: list[str], changed: list[int]) -> Any:  # noqa: ANN401
    """Put some of the values into a series of pandas; one of categories becomes one of objects."""
    if hasattr(series, "cat"):
        series = series.astype(object)
    for place in changed:
        series.iloc[place] = values[place]
    return series


def _with_texts_of_arrow(rows: Any, texts: Table, column: str | None) -> Any:  # noqa: ANN401
    import pyarrow as pa  # noqa: PLC0415

    values = texts.to_pyarrow()["text"]
    if column is None:
        values = values.cast(rows.type)
        return values if isinstance(rows, pa.ChunkedArray) else values.combine_chunks()
    at = rows.schema.get_field_index(column)
    field = rows.schema.field(at)
    values = values.cast(field.type)
    if isinstance(rows, pa.RecordBatch):
        values = values.combine_chunks()
    return rows.set_column(at, field, values)


def _library(rows: object) -> str:
    return type(rows).__module__.partition(".")[0]
