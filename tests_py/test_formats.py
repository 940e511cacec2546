"""CSV and Arrow files in, and folders that Hugging Face's datasets have saved."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import rich_table, survivors

import mithril

if TYPE_CHECKING:
    from pathlib import Path


def write_arrow(path: Path, table: pa.Table, kind: str) -> None:
    if kind == "feather":
        pf.write_feather(table, path, compression="lz4", chunksize=100)
        return
    options = pa.ipc.IpcWriteOptions(compression="zstd" if kind == "file" else None)
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=70)


@pytest.mark.parametrize("kind", ["file", "stream", "feather"])
def test_arrow_keeps_every_column_and_type(tmp_path: Path, kind: str) -> None:
    table = rich_table()
    source = tmp_path / ("in.feather" if kind == "feather" else "in.arrow")
    write_arrow(source, table, kind)
    report = mithril.dedup_files(source, tmp_path / "out", id_column="number")
    assert report.files
    assert (report.files.input_format, report.files.output_format) == ("arrow", "parquet")
    pq.write_table(table, tmp_path / "same.parquet")
    other = mithril.dedup_files(tmp_path / "same.parquet", tmp_path / "other", id_column="number")
    assert report.removed == other.removed > 0
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert out.to_pylist() == survivors(table, tmp_path / "out").to_pylist()
    assert out.schema.names == table.schema.names


def test_a_saved_dataset_is_its_data(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        table = pa.table({"text": [f"a text of {split}", "the same in both", None]})
        write_arrow(folder / "data-00000-of-00001.arrow", table, "stream")
        write_arrow(folder / "cache-0123.arrow", pa.table({"other": [1]}), "stream")
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "dataset_info.json").write_text("{}")
    (tmp_path / "data" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    report = mithril.dedup_files(tmp_path / "data", tmp_path / "out")
    assert (report.documents, report.removed) == (6, 1)
    state["_indices_files"] = [{"filename": "indices.arrow"}]
    (tmp_path / "data" / "train" / "state.json").write_text(json.dumps(state))
    with pytest.raises(mithril.InvalidArgumentException, match="flatten_indices"):
        mithril.dedup_files(tmp_path / "data", tmp_path / "again")


CSV_ROWS = [
    {"id": "007", "text": 'he said "no",\nand left', "score": "1.50"},
    {"id": "08", "text": "He said no, and left", "score": "20"},
    {"id": "", "text": "", "score": "3"},
    {"id": "x", "text": "something else altogether", "score": "4e0"},
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz"])
def test_csv_is_a_table_of_strings(tmp_path: Path, suffix: str) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(CSV_ROWS[0]), delimiter="\t" if suffix == "tsv" else ",")
    writer.writeheader()
    writer.writerows(CSV_ROWS)
    content = text.getvalue().encode()
    source = tmp_path / f"in.{suffix}"
    source.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    mithril.dedup_files(source, tmp_path / "out", keep="max:score", id_column="id", ngram=2)
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pylist()
    # What is empty is null.
    kept = [{name: value or None for name, value in row.items()} for row in CSV_ROWS[1:]]
    assert out == kept
    (gone,) = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    # 20 is more than 1.50, as numbers are.
    assert (gone["id"], gone["kept_id"]) == ("007", "08")
    mithril.dedup_files(source, tmp_path / "lines", format="jsonl", ngram=2)
    lines = (tmp_path / "lines" / "part-00000.jsonl.zst").read_bytes()
    found = mithril.ZstdCompressor().decompress(lines).splitlines()
    assert json.loads(found[0])["id"] == "007"


def test_a_row_that_does_not_fit_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("id,text\n1,a\n2,b,c\n")
    with pytest.raises(mithril.DedupException, match=r"in\.csv.*line"):
        mithril.dedup_files(source, tmp_path / "out")
    source.write_bytes(b"id,text\n1,\xff\xfe\n")
    with pytest.raises(mithril.DedupException, match=r"in\.csv.*UTF-8"):
        mithril.dedup_files(source, tmp_path / "out")
    source.write_text("id,words\n1,a\n")
    with pytest.raises(mithril.MithrilException, match=r'in\.csv: no column "text"'):
        mithril.dedup_files(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_arrow_files_are_errors_that_name_them(tmp_path: Path, data: st.DataObject) -> None:
    table = pa.table({"text": [f"a text {index}" for index in range(50)], "n": range(50)})
    source = tmp_path / "in.arrow"
    write_arrow(source, table, data.draw(st.sampled_from(["file", "stream"])))
    content = bytearray(source.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    source.write_bytes(content)
    fault = None
    try:
        report = mithril.dedup_files(source, tmp_path / "out", overwrite=True)
    except mithril.DedupException as error:
        fault = str(error)
    # Of a stream, what is cut off behind a batch is not missed.
    assert report.documents in range(51) if fault is None else "in.arrow" in fault
