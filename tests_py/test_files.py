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
    (tmp_path / "in.jsonl").write_text("\n".join(LINES))
    with pytest.raises(mithril.DedupException, match=r"in\.jsonl, line 4: not valid JSON: .*hex"):
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
    source.write_text("\n".join(LINES[:2]))
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
