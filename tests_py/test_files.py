"""Files in, files out: what survives is what came."""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import KEPT, LINES, ROWS, compress, decompress, listing, rich_table, survivors

import mithril

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("row_group_size", [ROWS, 70])
def test_rows_keep_every_column_and_type(tmp_path: Path, row_group_size: int) -> None:
    table = rich_table()
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=row_group_size)
    report = mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out")
    assert listing(tmp_path / "out") == ["duplicates.parquet", "part-00000.parquet", "report.json"]
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    expected = survivors(pq.read_table(tmp_path / "in.parquet"), tmp_path / "out")
    assert out.schema.equals(expected.schema, check_metadata=True)
    assert out.equals(expected)
    assert len(out) == report.kept == ROWS - report.removed
    assert 150 < report.removed < 210
    assert mithril.Report.from_json((tmp_path / "out" / "report.json").read_text()) == report


def test_parts_follow_their_files_even_where_schemas_differ(tmp_path: Path) -> None:
    table = rich_table()
    data = tmp_path / "data"
    data.mkdir()
    pq.write_table(table.slice(0, 200), data / "a.parquet")
    pq.write_table(table.slice(200, 0), data / "b.parquet")
    pq.write_table(table.slice(200).select(["number", "text"]), data / "c.parquet")
    report = mithril.dedup_files(data, tmp_path / "out", id_column="number")
    parts = [pq.read_table(tmp_path / "out" / f"part-0000{part}.parquet") for part in range(3)]
    assert [part.column_names for part in parts] == [table.column_names] * 2 + [["number", "text"]]
    assert sum(map(len, parts)) == report.kept
    rows = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    for row in rows:
        start = 0 if row["file"].endswith("a.parquet") else 200
        assert row["id"] in (start + row["row"], None)
        assert os.path.basename(row["kept_file"]) in ("a.parquet", "c.parquet")  # noqa: PTH119
    assert {row["file"] for row in rows} == {str(data / "a.parquet"), str(data / "c.parquet")}


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson", "jsonl.gz", "json.gz", "jsonl.zst", "json"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_json_lines_come_out_as_they_were(tmp_path: Path, suffix: str, end: str) -> None:
    source = tmp_path / f"in.{suffix}"
    content = ("\ufeff" + end.join([LINES[0], "", *LINES[1:]])).encode()
    source.write_bytes(compress(content, suffix))
    report = mithril.dedup_files(source, tmp_path / "out", shingle="chars")
    part = decompress((tmp_path / "out" / "part-00000.jsonl.zst").read_bytes())
    assert part.decode().splitlines() == [LINES[row] for row in KEPT]
    assert (report.documents, report.null_texts) == (8, 2)
    removed = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    # Two lone surrogates look alike, and are not called exact copies.
    assert [(row["row"], row["kept_row"], row["exact_copy"]) for row in removed] == [
        (2, 0, False),
        (4, 3, False),
    ]


def test_json_lines_to_parquet_and_back(tmp_path: Path) -> None:
    rows = [
        {"text": f"row {row} of json", "n": row if row % 2 else row / 2} for row in range(2_000)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "one", format="parquet")
    table = pq.read_table(tmp_path / "one" / "part-00000.parquet")
    assert table.to_pylist() == rows
    mithril.dedup_files(tmp_path / "one", tmp_path / "two", format="jsonl")
    lines = decompress((tmp_path / "two" / "part-00000.jsonl.zst").read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_text_files_are_documents(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("the same words in two files")
    (folder / "sub" / "b.md").write_text("The same words in two files\n")
    (folder / "c").write_text("something else")
    (folder / "empty").write_text("")
    (folder / ".hidden").write_text("not looked at")
    (folder / "image.png").write_bytes(b"\x89PNG\0\1\2")
    report = mithril.dedup_files(folder, tmp_path / "out")
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pylist()
    assert out == [
        {"path": str(folder / "a.txt"), "text": "the same words in two files"},
        {"path": str(folder / "c"), "text": "something else"},
        {"path": str(folder / "empty"), "text": ""},
    ]
    assert report.files is not None
    assert (report.files.input_format, report.files.skipped_binary) == ("text", 1)
    by_glob = mithril.dedup_files(f"{folder}/**/*.[tm][xd]*", tmp_path / "two", id_column="path")
    assert by_glob.documents == 2


def test_keep_and_id_columns(tmp_path: Path) -> None:
    for suffix in ("jsonl", "parquet"):
        table = pa.table(
            {"text": ["some words here", "Some words here"], "score": [1, 7], "key": ["a", "b"]}
        )
        source = tmp_path / f"in.{suffix}"
        if suffix == "parquet":
            pq.write_table(table, source)
        else:
            source.write_text("\n".join(map(json.dumps, table.to_pylist())))
        for keep, kept in (
            ("max:score", "b"),
            ("min:score", "a"),
            ("max:key", "b"),
            ("first", "a"),
        ):
            out = tmp_path / f"{suffix}-{keep}"
            mithril.dedup_files(source, out, keep=keep, id_column="key")
            [row] = pq.read_table(out / "duplicates.parquet").to_pylist()
            assert row["kept_id"] == kept


def test_empty_inputs_give_empty_results(tmp_path: Path) -> None:
    pq.write_table(rich_table().slice(0, 0), tmp_path / "empty.parquet")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "empty.jsonl.zst").write_text("")
    (tmp_path / "blank.jsonl").write_text("\n\n")
    (tmp_path / "folder").mkdir()
    for name in ("empty.parquet", "empty.jsonl", "empty.jsonl.zst", "blank.jsonl", "folder"):
        for form in ("parquet", "jsonl"):
            out = tmp_path / f"{name}-{form}"
            report = mithril.dedup_files(tmp_path / name, out, format=form)
            assert (report.documents, report.kept, report.removed) == (0, 0, 0)
            assert len(pq.read_table(out / "duplicates.parquet")) == 0
    out = pq.read_table(tmp_path / "empty.parquet-parquet" / "part-00000.parquet")
    assert out.schema == rich_table().schema


def test_all_texts_null(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.nulls(3), "n": [1, 2, 3]}), tmp_path / "in.parquet")
    report = mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out")
    assert (report.null_texts, report.kept) == (3, 3)


def test_timestamps_of_96_bits_do_not_wrap_around(tmp_path: Path) -> None:
    far = [dt.datetime(9999, 12, 31), dt.datetime(1500, 1, 1), None]  # noqa: DTZ001
    near = [dt.datetime(2026, 1, 1, 1, 2, 3), None, None]  # noqa: DTZ001
    table = pa.table(
        {
            "text": ["a", "b", "c"],
            "far": pa.array(far, pa.timestamp("us")),
            "near": pa.array(near, pa.timestamp("us")),
        }
    )
    source = tmp_path / "in.parquet"
    pq.write_table(table, source, use_deprecated_int96_timestamps=True, store_schema=False)
    mithril.dedup_files(source, tmp_path / "out")
    out = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert out["far"].to_pylist() == far
    assert out["near"].cast(pa.timestamp("us")).to_pylist() == near
    assert out.schema.field("near").type == pa.timestamp("ns")


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.null(),
    ],
    ids=str,
)
@pytest.mark.parametrize("memory", ["1GiB", "64MiB"])
def test_texts_of_every_kind_stay_in_their_column(
    tmp_path: Path, library_files: list[str], kind: pa.DataType, memory: str
) -> None:
    lines = [line for text in library_files[:300] for line in text.split("\n")][:250_000]
    texts = [None if row % 97 == 0 or kind == pa.null() else line for row, line in enumerate(lines)]
    column = pa.array(texts, pa.null() if kind == pa.null() else pa.string()).cast(kind)
    more = pa.array([{"n": row, "of": [row] * (row % 3)} for row in range(len(texts))])
    for name, table in [
        ("between", pa.table({"row": range(len(texts)), "text": column, "more": more})),
        ("alone", pa.table({"text": column})),
    ]:
        source = tmp_path / f"{name}.parquet"
        pq.write_table(table, source, row_group_size=60_000)
        mithril.dedup_files(
            source, tmp_path / name, memory=memory, temp_dir=tmp_path, method="exact"
        )
        out = pq.read_table(tmp_path / name / "part-00000.parquet")
        expected = survivors(pq.read_table(source), tmp_path / name)
        assert out.schema.equals(expected.schema, check_metadata=True)
        # Chunks may have other dictionaries.
        assert out.to_pylist() == expected.to_pylist()
        assert (len(out) < len(texts)) == (kind != pa.null())


def test_long_strings_that_repeat_fit_into_memory(tmp_path: Path) -> None:
    # 8,000 rows of 300 kB: 2.4 GB as strings, a few kB as a dictionary.
    text = pa.array(["some words " * 27_000]).dictionary_encode().take(pa.array([0] * 8_000))
    table = pa.table({"text": text.cast(pa.dictionary(pa.int32(), pa.string())), "n": range(8_000)})
    pq.write_table(table, tmp_path / "in.parquet", store_schema=False)
    report = mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out", ngram=1)
    assert report.kept == 1


def test_dictionaries_of_row_groups_are_not_merged(tmp_path: Path) -> None:
    levels = [f"level {row}" for row in range(400)]
    chunks = [pa.array(levels[at : at + 100]).dictionary_encode() for at in range(0, 400, 100)]
    small = [chunk.cast(pa.dictionary(pa.int8(), pa.string())) for chunk in chunks]
    source = tmp_path / "in.parquet"
    schema = pa.schema({"text": pa.string(), "level": small[0].type})
    with pq.ParquetWriter(source, schema) as writer:
        for chunk in small:
            writer.write_table(pa.table([chunk.cast(pa.string()), chunk], schema=schema))
    mithril.dedup_files(source, tmp_path / "out", ngram=1)
    out = pq.ParquetFile(tmp_path / "out" / "part-00000.parquet")
    groups = [out.read_row_group(group) for group in range(out.num_row_groups)]
    assert [row["level"] for group in groups for row in group.to_pylist()] == levels


def test_logical_types_and_the_footer_survive(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": ["a", "b"],
            "day": pa.array([0, 86_400_000], pa.date64()),
            "key": pa.array([bytes(16), bytes(range(16))], pa.uuid()),
        }
    ).replace_schema_metadata({"geo": "somewhere"})
    pq.write_table(table, tmp_path / "in.parquet")
    mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out")
    before = pq.ParquetFile(tmp_path / "in.parquet")
    after = pq.ParquetFile(tmp_path / "out" / "part-00000.parquet")
    assert after.schema_arrow.equals(before.schema_arrow, check_metadata=True)
    assert after.read().equals(before.read())
    for column in range(3):
        one, two = before.schema.column(column), after.schema.column(column)
        assert one.logical_type.type == two.logical_type.type
    assert after.metadata.metadata[b"geo"] == b"somewhere"


def test_ids_of_different_types_are_never_lost(tmp_path: Path) -> None:
    def write(name: str, ids: pa.Array) -> Path:
        pq.write_table(pa.table({"text": ["the same"] * len(ids), "id": ids}), tmp_path / name)
        return tmp_path / name

    small = write("a.parquet", pa.array([1], pa.int32()))
    large = write("b.parquet", pa.array([5_000_000_000], pa.int64()))
    words = write("c.parquet", pa.array(["doc-7"]))
    mithril.dedup_files([small, large], tmp_path / "out", id_column="id")
    [row] = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert (row["id"], row["kept_id"]) == (5_000_000_000, 1)
    with pytest.raises(ValueError, match="Int32 in one file and Utf8 in another"):
        mithril.dedup_files([small, words], tmp_path / "two", id_column="id")


def test_large_integers_in_json_lines_are_exact(tmp_path: Path) -> None:
    lines = [f'{{"text": "the same", "id": {2**64 - 50 + row}}}' for row in range(2)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", id_column="id", keep="max:id")
    [row] = pq.read_table(tmp_path / "out" / "duplicates.parquet").to_pylist()
    assert (row["id"], row["kept_id"]) == (2**64 - 50, 2**64 - 49)
    with pytest.raises(mithril.DedupException, match=r"line 1: an integer above 2\^63 - 1"):
        mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "two", format="parquet")


def test_the_order_of_files_decides_nothing_where_a_column_does(tmp_path: Path) -> None:
    table = rich_table()
    scores = [(index * 7919) % ROWS for index in range(ROWS)]
    table = table.append_column("score", pa.array(scores)).select(["text", "score"])
    paths = []
    for start in range(0, ROWS, 90):
        paths.append(tmp_path / f"{start}.parquet")
        pq.write_table(table.slice(start, 90), paths[-1])
    outcomes = []
    for number, order in enumerate([paths, paths[::-1], paths[1::2] + paths[::2]]):
        output = tmp_path / f"out{number}"
        mithril.dedup_files(order, output, id_column="score", keep="max:score")
        rows = pq.read_table(output / "duplicates.parquet").to_pylist()
        outcomes.append(sorted((row["id"], row["kept_id"], row["jaccard"]) for row in rows))
    assert len(outcomes[0]) > 100
    assert outcomes[1:] == outcomes[:1] * 2
