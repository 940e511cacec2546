"""The table that goes out."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

import mithril


@pytest.fixture
def table() -> mithril.Table:
    return mithril.deduplicate(["a b c"] * 13, verify="none").duplicates


def test_it_speaks_arrow(table: mithril.Table) -> None:
    assert pa.table(table).equals(table.to_pyarrow())
    assert pl.DataFrame(table).equals(table.to_polars())
    assert pa.RecordBatchReader.from_stream(table).schema.names == table.column_names


def test_it_is_readable_without_any_library(table: mithril.Table) -> None:
    assert len(table) == 12
    assert table.column_names == ["row", "kept_row", "jaccard", "exact_copy"]
    assert table.to_pylist()[0] == {"row": 1, "kept_row": 0, "jaccard": 1.0, "exact_copy": True}
    assert repr(table) == "<mithril.Table of 12 rows: row, kept_row, jaccard, exact_copy>"


def test_notebooks_show_its_head(table: mithril.Table) -> None:
    shown = table._repr_html_()
    assert shown.count("<tr>") == 11
    assert "2 more rows" in shown


def test_what_was_not_verified_has_no_similarity() -> None:
    table = mithril.deduplicate(["a b c", "A b c"], verify="none").duplicates
    assert table.to_pylist() == [{"row": 1, "kept_row": 0, "jaccard": None, "exact_copy": False}]


def test_its_rows_come_one_by_one() -> None:
    texts = [f"text number {row % 3000}" for row in range(6000)]
    table = mithril.deduplicate(texts, method="exact").duplicates
    assert len(table) == 3000
    assert list(table) == table.to_pylist()
