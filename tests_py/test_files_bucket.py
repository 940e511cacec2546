"""From a bucket to a bucket: what files do, and what only buckets can do wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import rich_table, write_samples

import mithril
from mithril.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def contents(store: mithril.Storage, folder: str) -> dict[str, bytes]:
    keys = store.list(f"{folder}/")
    return {key.rsplit("/", 1)[1]: bytes(store.get(key)) for key in keys}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("memory", ["8GiB", "64MiB"])
def test_parquet_goes_from_bucket_to_bucket(tmp_path: Path, bucket: str, memory: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    table = rich_table()
    # So many rows that they do not fit into the smaller memory.
    many = pa.table({"text": [f"row {index} " * 3 for index in range(230_000)]})
    (tmp_path / "in").mkdir()
    for name, rows in (("a", table), ("b", table.slice(50)), ("c", many)):
        path = tmp_path / "in" / f"{name}.parquet"
        pq.write_table(rows, path, row_group_size=90 if rows is not many else 50_000)
        store.put(f"data/in/{name}.parquet", path.read_bytes())
    store.put("data/in/_SUCCESS", b"")
    local = mithril.dedup_files(tmp_path / "in", tmp_path / "out", memory=memory)
    report = mithril.dedup_files(f"s3://{bucket}/data/in", f"s3://{bucket}/clean/", memory=memory)
    assert report.removed == local.removed > 100
    assert report.files
    assert local.files
    assert report.files.input_files[0] == f"s3://{bucket}/data/in/a.parquet"
    assert report.files.spooled_bytes == local.files.spooled_bytes
    there, here = contents(store, "clean"), files(tmp_path / "out")
    assert there.keys() == here.keys()
    parts = [name for name in here if name.startswith("part-")]
    assert [there[name] for name in parts] == [here[name] for name in parts]
    assert mithril.Report.from_json(there["report.json"].decode()) == report


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "csv", "arrow", "tar.gz", "txt"])
def test_other_formats_do_too(
    tmp_path: Path, bucket: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    rows = [
        {"text": f"{index % 40} is a number, and so is {index % 40 + 1}"} for index in range(60)
    ]
    table = pa.Table.from_pylist(rows)
    path = tmp_path / f"in.{suffix}"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if suffix == "arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif suffix == "csv":
        path.write_text("text\n" + "".join(f'"{row["text"]}"\n' for row in rows))
    elif suffix == "jsonl.gz":
        with pa.CompressedOutputStream(str(path), "gzip") as stream:
            stream.write(lines.encode())
    elif suffix == "tar.gz":
        write_samples(path, rows)
    else:
        path.write_text(lines)
    for number in range(2):
        store.put(f"in/{number}.{suffix}", path.read_bytes())
    pattern = f"s3://{bucket}/in/?.{suffix}"
    assert main(["dedup", pattern, "--output", f"s3://{bucket}/out", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = (2, 1) if suffix == "txt" else (120, 80)
    assert (report["documents"], report["removed"]) == expected
    assert report["files"]["parts"] == (1 if suffix == "txt" else 2)
    against = mithril.dedup_files(path, tmp_path / "out", against=pattern, within=False)
    assert against.kept == 0


@pytest.mark.parametrize("kind", [pa.ipc.new_file, pa.ipc.new_stream])
def test_what_compressed_arrow_claims_is_not_believed(
    tmp_path: Path, bucket: str, kind: Callable[..., Any]
) -> None:
    table = pa.table({"text": [f"a text of some length, {index}" for index in range(1000)]})
    path = tmp_path / "x.arrow"
    with kind(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    good = path.read_bytes()
    size = sum(len(text) for text in table["text"].to_pylist()).to_bytes(8, "little")
    assert good.count(size) == 1
    path.write_bytes(good.replace(size, (1 << 60).to_bytes(8, "little")))
    store = mithril.open_store(f"s3://{bucket}")
    store.put("in/x.arrow", path.read_bytes())
    store.put("in/cut.arrow", good[: len(good) // 2])
    for place in (f"s3://{bucket}/in/x.arrow", path, f"s3://{bucket}/in/cut.arrow"):
        with pytest.raises(mithril.DedupException, match=r"\.arrow.*damaged"):
            mithril.dedup_files(place, f"s3://{bucket}/out")
    assert contents(store, "out") == {}


def test_an_output_in_the_way_stays(tmp_path: Path, bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a"}\n')
    store.put("in/x.jsonl", path.read_bytes())
    mithril.dedup_files(path, f"s3://{bucket}/out")
    before = contents(store, "out")
    with pytest.raises(FileExistsError, match="exists"):
        mithril.dedup_files(path, f"s3://{bucket}/out")
    store.put("in/y.jsonl", path.read_bytes())
    mithril.dedup_files(f"s3://{bucket}/in/", f"s3://{bucket}/out", overwrite=True)
    after = contents(store, "out")
    assert len(after) == len(before) + 1
    # One part less: what it had is gone.
    mithril.dedup_files(path, f"s3://{bucket}/out", overwrite=True)
    assert contents(store, "out").keys() == before.keys()
    with pytest.raises(FileExistsError, match="part of the input"):
        mithril.dedup_files(f"s3://{bucket}/out/", f"s3://{bucket}/out", overwrite=True)
    store.put("out/mine.txt", b"mine")
    with pytest.raises(FileExistsError, match="not written by mithril"):
        mithril.dedup_files(path, f"s3://{bucket}/out", overwrite=True)
    with pytest.raises(FileExistsError, match="whole bucket"):
        mithril.dedup_files(path, f"s3://{bucket}", overwrite=True)


def test_patterns_match_folders_and_names_are_taken_as_they_are(bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    for key in ("in/year=1/a.jsonl", "in/year=2/month=1/b.jsonl", "in/years/c.jsonl", "d[1].jsonl"):
        store.put(key, json.dumps({"text": f"the text of {key}"}).encode())
    for name, count in (("in/year=*", 2), ("in/*/month=?", 1), ("in/year*", 3), ("d[1].jsonl", 1)):
        report = mithril.dedup_files(f"s3://{bucket}/{name}", f"s3://{bucket}/out", overwrite=True)
        assert report.documents == count, name


def test_what_fails_leaves_nothing(tmp_path: Path, bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"text": ["a", "b"]}), good)
    content = good.read_bytes()
    store.put("in/good.parquet", content)
    store.put("in/bad.parquet", content[: len(content) // 2])
    with pytest.raises(mithril.DedupException, match=r"s3://.*/in/bad\.parquet"):
        mithril.dedup_files(f"s3://{bucket}/in", f"s3://{bucket}/out")
    with pytest.raises(FileNotFoundError, match="nothing"):
        mithril.dedup_files(f"s3://{bucket}/nothing", f"s3://{bucket}/out")
    with pytest.raises(FileNotFoundError, match=r"\*\.json"):
        mithril.dedup_files(f"s3://{bucket}/in/*.json", f"s3://{bucket}/out")
    with pytest.raises(mithril.InvalidArgumentException, match="in memory"):
        mithril.dedup_files("memory://", f"s3://{bucket}/out")
    with pytest.raises(mithril.MithrilException, match="no-such-bucket"):
        mithril.dedup_files("s3://no-such-bucket/a.parquet", f"s3://{bucket}/out")
    assert contents(store, "out") == {}


def test_files_may_be_urls(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n{"text": "a"}\n')
    report = mithril.dedup_files(f"file://{tmp_path}/in.jsonl", f"file://{tmp_path}/out")
    assert report.removed == 1
    assert (tmp_path / "out" / "report.json").exists()


def test_tables_of_others_are_not_replaced(tmp_path: Path, bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n')
    store.put("spark/part-00000-3f2a-c000.snappy.parquet", b"theirs")
    with pytest.raises(FileExistsError, match="not written by mithril"):
        mithril.dedup_files(path, f"s3://{bucket}/spark", overwrite=True)
    assert store.list("spark/") == ["spark/part-00000-3f2a-c000.snappy.parquet"]


@pytest.mark.parametrize("in_bucket", [True, False])
def test_what_rows_are_compared_with_is_not_replaced(
    tmp_path: Path, bucket: str, in_bucket: bool
) -> None:
    place = f"s3://{bucket}/month" if in_bucket else str(tmp_path / "month")
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a"}\n')
    mithril.dedup_files(path, place)
    with pytest.raises(FileExistsError, match="compared with"):
        mithril.dedup_files(path, place, against=f"{place}/*.zst", overwrite=True)
    assert mithril.dedup_files(path, tmp_path / "other", against=f"{place}/*.zst").removed == 1


def test_saved_datasets_in_a_bucket(tmp_path: Path, bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    table = pa.table({"text": ["a", "a"]})
    with pa.ipc.new_stream(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("data-00000.arrow", "cache-1.arrow"):
        store.put(f"set/{name}", (tmp_path / "x.arrow").read_bytes())
    store.put("set/dataset_info.json", b"{}")
    store.put("set/state.json", b"{}")
    assert mithril.dedup_files(f"s3://{bucket}/set", tmp_path / "out").documents == 2
    store.put("set/state.json", b'{"_indices_data_files": [{"filename": "i.arrow"}]}')
    with pytest.raises(mithril.InvalidArgumentException, match="flatten_indices"):
        mithril.dedup_files(f"s3://{bucket}/set", tmp_path / "again")
    store.put("one.json", b'{"text": "a"}\n{"text": "b"}\n')
    assert mithril.dedup_files(f"s3://{bucket}/one.json", tmp_path / "lines").documents == 2
    with pytest.raises(mithril.InvalidArgumentException, match="copy it to a folder"):
        mithril.explain_removed(f"s3://{bucket}/out", 1)


SILENT = """
import os, signal, socket, threading, time
held = socket.create_server(("127.0.0.1", 0))
os.environ |= {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{held.getsockname()[1]}",
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}
import mithril

def interrupt():
    # Somebody has asked, and will never be answered.
    held.accept()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    mithril.dedup_files("s3://silent/in.parquet", "s3://silent/out")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_waiting_for_a_bucket() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SILENT], check=True, capture_output=True, text=True, timeout=20
    )
    assert done.stdout == "interrupted\n"
