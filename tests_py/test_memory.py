"""A run that may not take the memory that its input would need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import decompress

import mithril
from mithril.sizes import bytes_of

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 230_000
LEAST = "64MiB"


@pytest.fixture(scope="module")
def table(library_files: list[str]) -> pa.Table:
    """Lines of the standard library, with those that differ a little and some that are null."""
    lines = [line.strip() for text in library_files for line in text.split("\n")]
    lines = [line for line in lines if len(line) > 30]
    texts: list[str | None] = []
    for index in range(ROWS):
        line = lines[index * 7919 % len(lines)]
        number = index // len(lines)
        text = f"{line} {line[::-1]} {number if index % 3 else 'again'}"
        texts.append(None if index % 1000 == 999 else text)
    return pa.table({"text": texts, "n": pa.array(range(ROWS))})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.json"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"verify": "signature", "permutations": 32, "threshold": 0.7},
        {"keep": "longest", "cluster": "components", "ngram": 2},
        {"method": "exact", "keep": "max:n", "id_column": "n"},
        {"method": "lines"},
        {"method": "containment", "ngram": 2, "threshold": 0.9},
    ],
)
def test_the_same_goes_whatever_the_memory(
    tmp_path: Path, table: pa.Table, options: dict[str, Any]
) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(table, source, row_group_size=40_000)
    reports = [
        mithril.dedup_files(source, tmp_path / memory, memory=memory, **options)
        for memory in ("8GiB", LEAST)
    ]
    spooled = [report.files.spooled_bytes for report in reports if report.files]
    assert spooled[0] == 0
    assert spooled[1] == reports[1].bytes
    assert contents(tmp_path / "8GiB") == contents(tmp_path / LEAST)
    assert reports[0].removed == reports[1].removed
    assert reports[0].candidate_pairs == reports[1].candidate_pairs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["64MiB", "8GiB", "in.parquet"]


@pytest.mark.parametrize(
    "options",
    [
        {"method": "lines", "min_length": 30},
        {"method": "paragraphs", "min_count": 3, "id_column": "n"},
        {"method": "lines", "against": True, "within": False, "format": "jsonl"},
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_the_same_lines_go_whatever_the_memory(
    tmp_path: Path, table: pa.Table, options: dict[str, Any], times: int
) -> None:
    # Once it is only what is made of lines that does not fit, three times the texts do not either.
    lines = [line or "" for line in table["text"].to_pylist()]
    between = "\n" if options["method"] == "lines" else "\n \n"
    rows = [between.join(lines[at : at + 10]) for at in range(0, ROWS, 10)]
    texts = [text if row % 50 else None for row, text in enumerate(rows * times)]
    texts[7] = texts[6] = texts[8]
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": texts, "n": range(len(texts))}), source, row_group_size=9000)
    if options.get("against"):
        pq.write_table(pa.table({"text": lines[::3]}), tmp_path / "others.parquet")
        options = options | {"against": tmp_path / "others.parquet"}
    reports = [
        mithril.dedup_files(source, tmp_path / memory, memory=memory, **options)
        for memory in ("8GiB", LEAST)
    ]
    assert [bool(report.files and report.files.spooled_bytes) for report in reports] == [
        False,
        times > 1,
    ]
    assert contents(tmp_path / "8GiB") == contents(tmp_path / LEAST)
    assert reports[0].repeats == reports[1].repeats
    assert reports[0].repeats
    assert reports[0].repeats.removed_parts > 1000
    assert reports[0].removed == reports[1].removed


def test_json_lines_that_are_no_unicode_too(tmp_path: Path, table: pa.Table) -> None:
    source = tmp_path / "in.jsonl"
    with source.open("w") as file:
        for index, text in enumerate(table["text"].to_pylist()):
            line = json.dumps({"text": text})
            if index % 10 == 0 and text:
                line = line[:-2] + '\\ud83d"}'
            file.write(line + "\n")
    for memory in ("8GiB", LEAST):
        mithril.dedup_files(source, tmp_path / memory, memory=memory)
    one, other = contents(tmp_path / "8GiB"), contents(tmp_path / LEAST)
    assert one == other
    assert b"\\ud83d" in decompress(one["part-00000.jsonl.zst"])


def test_against_and_within_in_little_memory(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table.slice(0, ROWS // 2), tmp_path / "in.parquet")
    pq.write_table(table.slice(ROWS // 2), tmp_path / "others.parquet")
    for memory in ("8GiB", LEAST):
        report = mithril.dedup_files(
            tmp_path / "in.parquet",
            tmp_path / memory,
            against=tmp_path / "others.parquet",
            within=False,
            memory=memory,
        )
        assert report.removed_against == report.removed > 0
    assert contents(tmp_path / "8GiB") == contents(tmp_path / LEAST)


def test_what_is_more_than_it_seemed_goes_to_files_on_the_way(tmp_path: Path) -> None:
    texts = [f"the same words again and again, {index % 100}" * 4 for index in range(230_000)]
    table = pa.table({"text": texts})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=10_000)
    assert (tmp_path / "in.arrow").stat().st_size < 2 << 20
    reports = [
        mithril.dedup_files(tmp_path / "in.arrow", tmp_path / memory, memory=memory)
        for memory in ("8GiB", LEAST)
    ]
    spooled = [report.files.spooled_bytes for report in reports if report.files]
    assert spooled[0] == 0
    assert 0 < spooled[1] < reports[1].bytes
    assert contents(tmp_path / "8GiB") == contents(tmp_path / LEAST)


SCRIPT = """
import json, pathlib, re, resource, signal, sys
import mithril
source, output, temporary, limit, options = sys.argv[1:]
if int(limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    options = json.loads(options)
    report = mithril.dedup_files(source, output, memory="64MiB", temp_dir=temporary, **options)
except mithril.DedupException as error:
    print(error)
else:
    # What getrusage says counts the process that this one was made by.
    status = pathlib.Path("/proc/self/status").read_text()
    most = re.search(r"VmHWM:\\s+(\\d+) kB", status).group(1)
    print(int(most) * 1024, report.files.spooled_bytes)
"""


def script(*arguments: object, **options: object) -> str:
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments), json.dumps(options)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="others count memory in other ways")
@pytest.mark.parametrize(
    ("together", "options"),
    [
        (1, {}),
        (1, {"method": "lines"}),
        (1, {"method": "containment"}),
        (5000, {}),
        (5000, {"method": "lines"}),
        (5000, {"method": "containment"}),
    ],
)
def test_memory_is_kept_and_nothing_is_left(
    tmp_path: Path, table: pa.Table, together: int, options: dict[str, Any]
) -> None:
    # Rows of some 300 bytes, or of a megabyte and more, in pages of many of them.
    texts = table["text"].to_pylist()
    longer = [text and f"{text} {texts[-index - 1]} {index:x}" for index, text in enumerate(texts)]
    longer += longer[::-1]
    texts = (longer[at : at + together] for at in range(0, len(longer), together))
    rows = [text[0] if together == 1 else "\n".join(filter(None, text)) for text in texts]
    for file in range(2):
        half = pa.table({"text": rows[file::2]})
        pq.write_table(half, tmp_path / f"{file}.parquet", row_group_size=20_000 // together * 40)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    source = tmp_path / "*.parquet"
    most, spooled = script(source, tmp_path / "out", temporary, 0, **options).split()
    assert int(spooled) > 60 << 20
    assert int(most) < bytes_of(LEAST) + bytes_of("256MiB")
    assert os.listdir(temporary) == []  # noqa: PTH208


def test_a_full_disk_is_named(tmp_path: Path, table: pa.Table) -> None:
    pq.write_table(table, tmp_path / "in.parquet")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    said = script(tmp_path / "in.parquet", tmp_path / "out", temporary, 5 << 20)
    assert str(temporary) in said
    assert "--temp-dir" in said
    assert "bytes to temporary files" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "temporary"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "1MiB"}, "at least 64 MiB"),
        ({"memory": "much"}, "no number of bytes"),
        ({"temp_dir": "/no/such/folder"}, "no folder"),
    ],
)
def test_what_is_no_memory_is_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(mithril.InvalidArgumentException, match=message):
        mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", **options)
    assert os.listdir(tmp_path) == ["in.jsonl"]  # noqa: PTH208


def test_sizes_are_read_as_people_write_them() -> None:
    sizes = ["4GiB", "500 MB", "2g", "1.5kib", "7", "7B"]
    assert [bytes_of(size) for size in sizes] == [1 << 32, 500 * 10**6, 2 * 10**9, 1536, 7, 7]
