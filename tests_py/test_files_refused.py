"""Files that are damaged, missing or in the way: an error that says so, and nothing left."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import LINES, compress, listing, rich_table

import mithril

if TYPE_CHECKING:
    from pathlib import Path


def test_what_parquet_cannot_hold_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join([LINES[0], LINES[3]]))
    with pytest.raises(mithril.DedupException, match=r"in\.jsonl, line 2: not valid JSON: .*hex"):
        mithril.dedup_files(tmp_path / "in.jsonl", tmp_path / "out", format="parquet")
    (tmp_path / "two.jsonl").write_text('{"text": "a", "n": 1}\n\n{"text": "b", "n": {"m": 2}}')
    with pytest.raises(mithril.DedupException, match=r"two\.jsonl, line 3: does not fit"):
        mithril.dedup_files(tmp_path / "two.jsonl", tmp_path / "out", format="parquet")
    assert listing(tmp_path) == ["in.jsonl", "two.jsonl"]


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
    (data / "table.avro").write_text("text\na\n")
    with pytest.raises(ValueError, match="avro"):
        mithril.dedup_files(data / "table.avro", tmp_path / "two")


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
    (data / "a.avro").write_text("text\na\n")
    with pytest.raises(ValueError, match="no input"):
        mithril.dedup_files([], tmp_path / "out")
    with pytest.raises(ValueError, match=r"a\.avro"):
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
