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
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
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
    try:
        report = mithril.dedup_files(source, tmp_path / "out", overwrite=True)
    except mithril.MithrilException as error:
        # Where the damage is in its name, there is no column of that name.
        said = str(error)
    else:
        # Of a stream, what is cut off behind a batch is not missed.
        said = f"in.arrow with {report.documents} rows" if report.documents <= 50 else ""
    assert "in.arrow" in said


def test_types_that_parquet_has_no_name_for_become_the_nearest(tmp_path: Path) -> None:
    seconds = pa.array([1, None, 3], pa.timestamp("s", "UTC"))
    keys = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["x", "y"]))
    columns = {
        "text": ["a", "b", "c"],
        "seconds": seconds,
        "time": pa.array([1, 2, None], pa.time32("s")),
        "days": pa.array([[86_400_000], [], None], pa.list_(pa.date64())),
        "nested": pa.StructArray.from_arrays([keys, seconds], ["keys", "seconds"]),
    }
    table = pa.table(columns)
    write_arrow(tmp_path / "in.arrow", table, "stream")
    mithril.dedup_files(tmp_path / "in.arrow", tmp_path / "out")
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert out.schema.field("seconds").type == pa.timestamp("ms", "UTC")
    assert out.schema.field("time").type == pa.time32("ms")
    assert out["seconds"].to_pylist() == table["seconds"].to_pylist()
    assert out["nested"].to_pylist() == table["nested"].to_pylist()
    assert out["days"].to_pylist()[0][0].date().isoformat() == "1970-01-02"


def test_nested_dictionaries_may_have_more_values_than_their_keys_count(tmp_path: Path) -> None:
    kind = pa.struct([("d", pa.dictionary(pa.int8(), pa.string()))])
    schema = pa.schema([("text", pa.string()), ("s", kind)])
    batches = []
    for part in range(4):
        values = pa.array([f"{part} {index}" for index in range(100)])
        keys = pa.DictionaryArray.from_arrays(pa.array(range(100), pa.int8()), values)
        nested = pa.StructArray.from_arrays([keys], ["d"])
        batches.append(pa.record_batch([values, nested], schema=schema))
    with pa.ipc.new_stream(tmp_path / "in.arrow", schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    mithril.dedup_files(tmp_path / "in.arrow", tmp_path / "out")
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert [row["s"]["d"] for row in out.to_pylist()] == out["text"].to_pylist()


def test_what_parquet_cannot_hold_is_said_before_the_work(tmp_path: Path) -> None:
    union = pa.UnionArray.from_dense(
        pa.array([0, 0], pa.int8()), pa.array([0, 1], pa.int32()), [pa.array([1, 2])]
    )
    write_arrow(tmp_path / "in.arrow", pa.table({"text": ["a", "b"], "u": union}), "stream")
    with pytest.raises(mithril.DedupException, match=r"in\.arrow"):
        mithril.dedup_files(tmp_path / "in.arrow", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in.arrow"]


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_lengths_of_bytes_that_are_not_there_are_no_reason_to_take_memory(
    tmp_path: Path, kind: str
) -> None:
    table = pa.table({"text": [f"a text {index}" for index in range(50)]})
    source = tmp_path / "in.arrow"
    write_arrow(source, table, kind)
    content = source.read_bytes()
    # Every 8 bytes that hold a small number, as lengths do, say that there are 2^60 more.
    for at in range(0, len(content) - 8, 8):
        value = int.from_bytes(content[at : at + 8], "little")
        if 0 < value < 10_000:
            patched = content[:at] + (value + 2**60).to_bytes(8, "little") + content[at + 8 :]
            source.write_bytes(patched)
            try:
                mithril.dedup_files(source, tmp_path / "out", overwrite=True)
            except mithril.DedupException as error:
                said = str(error)
            else:
                said = "in.arrow: it stands where nothing is looked at"
            assert "in.arrow" in said


def test_a_column_to_keep_by_may_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,score\n")
    report = mithril.dedup_files(tmp_path / "in.csv", tmp_path / "out", keep="max:score")
    assert report.documents == 0


def test_caches_of_saved_datasets_are_no_data_however_they_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_arrow(folder / "data-00000.arrow", pa.table({"text": ["a"]}), "stream")
    write_arrow(folder / "cache-1.arrow", pa.table({"text": ["b"]}), "stream")
    (folder / "dataset_info.json").write_text("{}")
    (folder / "state.json").write_text("{}")
    assert mithril.dedup_files(f"{folder}/*.arrow", tmp_path / "out").documents == 1
    (folder / "state.json").write_text('{"_indices_data_files": [{"filename": "i.arrow"}]}')
    for name in (f"{folder}/*.arrow", folder / "data-00000.arrow"):
        with pytest.raises(mithril.InvalidArgumentException, match="flatten_indices"):
            mithril.dedup_files(name, tmp_path / "again")
