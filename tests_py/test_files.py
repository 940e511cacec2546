"""Files in, files out: what survives is what came, and what fails leaves nothing."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROWS = 600


def texts() -> list[str | None]:
    """Rows of which every third copies the one before it, with nulls and an empty one."""
    rows: list[str | None] = [
        f"row {row - (row % 3 == 2)} of a table of many rows" for row in range(ROWS)
    ]
    rows[5] = rows[7] = None
    rows[9] = ""
    return rows


def rich_table() -> pa.Table:
    """A column of nearly every type there is, nulls in all of them."""

    def column(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
        values = list(values)
        values[3] = values[500] = None
        return pa.array(values, kind)

    rows = range(ROWS)
    struct = pa.struct([("a", pa.int16()), ("b", pa.list_(pa.string()))])
    columns = {
        "text": pa.array(texts(), pa.string()),
        "number": column(rows, pa.int64()),
        "small": column((row % 250 for row in rows), pa.uint8()),
        "half": column((row / 2 for row in rows), pa.float32()),
        "flag": column((row % 2 == 0 for row in rows), pa.bool_()),
        "large": column((f"large {row}" for row in rows), pa.large_string()),
        "view": column(
            (f"a view of more than twelve bytes {row}" for row in rows), pa.string_view()
        ),
        "bytes": column((bytes([row % 256, 0, 255]) for row in rows), pa.binary()),
        "fixed": column((row.to_bytes(4, "big") for row in rows), pa.binary(4)),
        "level": column((f"level {row % 4}" for row in rows), pa.string()).dictionary_encode(),
        "when": column(
            (dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=row) for row in rows),
            pa.timestamp("us", tz="Europe/Berlin"),
        ),
        "nanos": column((row * 1_000_000_007 for row in rows), pa.timestamp("ns")),
        "day": column((dt.date(2026, 1, 1) + dt.timedelta(days=row) for row in rows), pa.date32()),
        "span": column((row * 1000 for row in rows), pa.duration("ms")),
        "money": column((decimal.Decimal(row) / 100 for row in rows), pa.decimal128(20, 2)),
        "list": column(([row] * (row % 4) for row in rows), pa.list_(pa.int32())),
        "nested": column(({"a": row, "b": ["x", None]} for row in rows), struct),
        "map": column(([("k", row)] for row in rows), pa.map_(pa.string(), pa.int64())),
        "deep": column(([[{"a": row, "b": []}]] for row in rows), pa.list_(pa.large_list(struct))),
        "nothing": pa.nulls(ROWS),
    }
    schema = pa.schema(
        [
            pa.field(name, values.type, metadata={"note": f"of {name}"} if name == "flag" else None)
            for name, values in columns.items()
        ],
        metadata={"origin": "a test"},
    )
    return pa.table(columns, schema=schema)


def survivors(table: pa.Table, output: Path) -> pa.Table:
    """The rows of the input that the table of duplicates does not name."""
    removed = set(pq.read_table(output / "duplicates.parquet")["row"].to_pylist())
    # Not `filter`: pyarrow has none for string views.
    kept = [table.slice(row, 1) for row in range(len(table)) if row not in removed]
    return pa.concat_tables(kept)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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


LINES = [
    '{"text": "the first of some lines", "n": 1.10, "deep": {"a": [1, null]}, "id": "x"}',
    '  {"id":"y","n":12345678901234567890,"text":"another line altogether"}  ',
    '{"text": "the first of some LINES", "id": null}',
    '{"text": "half a pair \\ud83d", "text2": "\\ud83d"}',
    '{"text": "half a pair \\ude00"}',
    '{"text": null, "n": 3}',
    '{"n": 4}',
    '{"text": "ein Stra\\u00dfenname", "text": "the last value of a name counts"}',
]
KEPT = [0, 1, 3, 5, 6, 7]


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


def compress(content: bytes, suffix: str) -> bytes:
    if suffix.endswith("gz"):
        half = len(content) // 2  # two members in a row, as pigz and cat make them
        return gzip.compress(content[:half]) + gzip.compress(content[half:])
    if suffix.endswith("zst"):
        return bytes(pa.compress(content, codec="zstd", asbytes=True))
    return content


def decompress(content: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read())


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


def test_what_parquet_cannot_hold_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([LINES[0], LINES[3]]))
    with pytest.raises(mithril.DedupException, match=r"in\.jsonl, line 2: not valid JSON: .*hex"):
        mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", format="parquet")
    (tmp_path / "two.jsonl").write_text('{"text": "a", "n": 1}\n\n{"text": "b", "n": {"m": 2}}')
    with pytest.raises(mithril.DedupException, match=r"two\.jsonl, line 3: does not fit"):
        mithril.dedup_files(tmp_path / "two.jsonl", tmp_path / "out", format="parquet")
    assert listing(tmp_path) == ["in.jsonl", "two.jsonl"]


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


BAD_LINES = [
    (b'{"text": "a"}\n{"text": "b"\n', "line 2", "JSON"),
    (b'{"text": "a"}\n\n["text"]\n', "line 3", "object"),
    (b'{"text": "a"}\n{"text": "\xff"}\n', "line 2", "UTF-8 at byte 10"),
    (b'{"text": 5}\n', "line 1", "a number, not a string"),
    (b'{"text": "a"} {"text": "b"}\n', "line 1", "JSON"),
    (b'{"text": "a\x00b"}\n', "line 1", "JSON"),
    (b"\x00" * 100, "line 1", "object"),
    (b"[" * 100_000, "line 1", "object"),
    (b'{"a":' * 100_000, "line 1", "JSON"),
]


@pytest.mark.parametrize(("content", "place", "problem"), BAD_LINES)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, place: str, problem: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(content)
    with pytest.raises(mithril.DedupException) as raised:
        mithril.dedup_files(source, tmp_path / "out")
    assert raised.value.kind == "bad_row"
    for part in (str(source), place, problem):
        assert part in str(raised.value)
    assert listing(tmp_path) == ["in.jsonl"]


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("eins\nzwei\ndr\xfcben".encode("latin-1"))
    with pytest.raises(
        mithril.DedupException, match=r"latin\.txt, line 3: not valid UTF-8 at byte 2"
    ):
        mithril.dedup_files(tmp_path / "latin.txt", tmp_path / "out")
    # pyarrow writes what it is told to be a string.
    wrong = pa.array([b"fine"] * 9_000 + [b"\xff\xfe"] + [b"fine"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": wrong}), tmp_path / "in.parquet", use_dictionary=False)
    with pytest.raises(mithril.DedupException, match=r"in\.parquet, row 9000: .*(?i:utf-?8)"):
        mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out")
    with pytest.raises(mithril.DedupException, match="damaged"):
        mithril.deduplicate(wrong)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_compressed_file_cut_short_is_an_error(tmp_path: Path, suffix: str) -> None:
    content = compress("\n".join(LINES * 50).encode(), suffix)
    source = tmp_path / f"in.jsonl.{suffix}"
    for length in (1, len(content) // 3, len(content) - 1):
        source.write_bytes(content[:length])
        with pytest.raises(mithril.DedupException, match=r"in\.jsonl"):
            mithril.dedup_files(source, tmp_path / "out")
    assert listing(tmp_path) == [source.name]


def test_damaged_parquet_is_an_error_and_never_a_panic(tmp_path: Path) -> None:
    table = rich_table().slice(0, 60)
    pq.write_table(table, tmp_path / "whole.parquet", compression="none")
    content = (tmp_path / "whole.parquet").read_bytes()
    draw = random.Random(3)
    damaged = [content[: draw.randrange(len(content))] for _ in range(60)]
    for _ in range(150):
        copy = bytearray(content)
        copy[draw.randrange(len(copy))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(copy))
    errors: list[mithril.MithrilException] = []
    for number, data in enumerate(damaged):
        source = tmp_path / "in.parquet"
        source.write_bytes(data)
        out = tmp_path / f"out-{number}"
        try:
            mithril.dedup_files(source, out)
        except mithril.MithrilException as error:  # a panic would be another class
            errors.append(error)
            written = False
        else:
            written = True
        assert out.exists() == written
    assert len(errors) >= 60
    assert not any(error.kind == "internal" for error in errors)
    assert all("in.parquet" in str(error) for error in errors[:60])


def test_a_missing_column_names_those_there_are(tmp_path: Path) -> None:
    pq.write_table(pa.table({"content": ["a"], "id": [1]}), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl").write_text('{"content": "a", "id": 1}\n')
    for name in ("in.parquet", "in.jsonl"):
        for options in ({}, {"text_column": "content", "id_column": "text"}):
            with pytest.raises(ValueError, match='no column "text"; the columns are: content, id'):
                mithril.dedup_files(tmp_path / name, tmp_path / "out", **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Int64"):
        mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out", text_column="id")
    assert not (tmp_path / "out").exists()


def test_mixed_formats_are_an_error_until_one_is_chosen(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pq.write_table(pa.table({"text": ["a"]}), data / "a.parquet")
    (data / "README.md").write_text("about the data")
    (data / "_SUCCESS").write_text("")
    with pytest.raises(ValueError, match=r"1 parquet \(.*a.parquet\), 1 text \(.*README.md\)"):
        mithril.dedup_files(data, tmp_path / "out")
    assert mithril.dedup_files(data, tmp_path / "out", input_format="parquet").documents == 1
    (data / "table.csv").write_text("text\na\n")
    with pytest.raises(ValueError, match="csv"):
        mithril.dedup_files(data / "table.csv", tmp_path / "two")


def test_missing_inputs(tmp_path: Path) -> None:
    for name in ("no.parquet", "no/*.jsonl"):
        with pytest.raises(FileNotFoundError, match="no"):
            mithril.dedup_files(tmp_path / name, tmp_path / "out")


def test_an_existing_folder_stays_unless_it_is_ours_and_told(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([LINES[0], LINES[2]]))
    out = tmp_path / "deep" / "out"
    mithril.dedup_files(source, out)
    with pytest.raises(FileExistsError, match="overwrite"):
        mithril.dedup_files(source, out)
    mithril.dedup_files(source, out, format="parquet", overwrite=True)
    assert listing(out) == ["duplicates.parquet", "part-00000.parquet", "report.json"]
    assert listing(out.parent) == ["out"]

    with pytest.raises(FileExistsError, match="holds a part of the input"):
        mithril.dedup_files(out, out, overwrite=True)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="not written by mithril"):
        mithril.dedup_files(source, precious, overwrite=True)
    with pytest.raises(FileExistsError, match="not a folder"):
        mithril.dedup_files(source, source, overwrite=True)
    assert listing(tmp_path) == ["deep", "in.jsonl", "precious"]


def test_a_failure_leaves_the_earlier_output(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(LINES))
    mithril.dedup_files(source, tmp_path / "out")
    before = (tmp_path / "out" / "report.json").read_bytes()
    source.write_text("{")
    with pytest.raises(mithril.DedupException):
        mithril.dedup_files(source, tmp_path / "out", overwrite=True)
    with pytest.raises(mithril.DedupException):
        mithril.dedup_files(source, tmp_path / "new" / "folder" / "out")
    assert (tmp_path / "out" / "report.json").read_bytes() == before
    assert listing(tmp_path) == ["in.jsonl", "out"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(LINES[0])
    report = mithril.dedup_files([source, source, f"{tmp_path}/*.jsonl"], tmp_path / "out")
    assert report.documents == 1


def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    draw = random.Random(4)
    lines = [json.dumps({"text": draw.randbytes(500).hex()}) for _ in range(4_000)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    code = (
        "import mithril, sys\n"
        "try: mithril.dedup_files(sys.argv[1], sys.argv[2])\n"
        "except mithril.DedupException as error: print(error.kind, error)\n"
    )

    def limit() -> None:
        # A file may grow to 64 kB: what a full disk does, for this process alone.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "in.jsonl", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limit,
    )
    assert done.stdout.startswith("write cannot write")
    assert "part-00000.jsonl.zst" in done.stdout
    assert done.stderr == ""
    assert listing(tmp_path) == ["in.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    draw = random.Random(5)
    words = [f"word{number}" for number in range(5_000)]
    with (tmp_path / "in.jsonl").open("w") as file:
        for _ in range(60_000):
            file.write(json.dumps({"text": " ".join(draw.choices(words, k=200))}) + "\n")
    command = [sys.executable, "-m", "mithril", "dedup", str(tmp_path / "in.jsonl")]
    child = subprocess.Popen(
        [*command, "--output", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    # The workspace appears once the run has begun.
    while len(listing(tmp_path)) == 1 and time.monotonic() < deadline:
        assert child.poll() is None
        time.sleep(0.001)
    child.send_signal(number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in errors
    assert listing(tmp_path) == ["in.jsonl"]


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


def test_only_what_a_run_wrote_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(LINES))
    real, link = tmp_path / "real", tmp_path / "link"
    mithril.dedup_files(source, real)
    link.symlink_to(real)
    mithril.dedup_files(source, link, overwrite=True, keep="longest")
    assert link.is_symlink()
    assert '"longest"' in (real / "report.json").read_text()
    (real / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        mithril.dedup_files(source, real, overwrite=True)
    assert (real / "notes.txt").read_text() == "mine"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(FileExistsError, match="runs in"):
        mithril.dedup_files(source, ".", overwrite=True)


def test_inputs_that_are_probably_a_mistake(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("text\na\n")
    with pytest.raises(ValueError, match="no input"):
        mithril.dedup_files([], tmp_path / "out")
    with pytest.raises(ValueError, match=r"a\.csv"):
        mithril.dedup_files(data, tmp_path / "out")
    with pytest.raises(ValueError, match="none of the 1 files"):
        mithril.dedup_files(data, tmp_path / "out", input_format="parquet")
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(mithril.DedupException, match="a pipe cannot be read twice"):
        mithril.dedup_files(tmp_path / "pipe.jsonl", tmp_path / "out")


def test_the_same_file_by_another_name_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "A.JSONL.GZ").write_bytes(gzip.compress(LINES[0].encode()))
    (tmp_path / "link.jsonl.gz").symlink_to(tmp_path / "A.JSONL.GZ")
    monkeypatch.chdir(tmp_path)
    inputs = ["A.JSONL.GZ", "./A.JSONL.GZ", "link.jsonl.gz", "./*.GZ", "[A]*", "*"]
    report = mithril.dedup_files(inputs, "out")
    assert report.documents == 1
    assert report.files is not None
    assert report.files.input_files == ("A.JSONL.GZ",)


def test_patterns_pass_over_names_that_are_not_unicode(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b.txt").write_text("b")
    (tmp_path / os.fsdecode(b"x\xff.txt")).write_text("c")
    assert mithril.dedup_files(f"{tmp_path}/*.txt", tmp_path / "one").documents == 1
    assert mithril.dedup_files(f"{tmp_path}/**/*.txt", tmp_path / "two").documents == 2


def test_earlier_outputs_inside_a_folder_are_read_as_their_parts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    pq.write_table(pa.table({"text": ["a", "A", "b"]}), data / "in.parquet")
    mithril.dedup_files(data, data / "clean")
    assert mithril.dedup_files(data, tmp_path / "out").documents == 5
