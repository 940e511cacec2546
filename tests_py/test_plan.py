"""What a run would take, said before."""

from __future__ import annotations

import gzip
import inspect
import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import write_samples

import mithril
from mithril import files
from mithril.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NEAR = 0.3


@pytest.fixture(scope="module")
def rows(library_files: list[str]) -> list[dict[str, object]]:
    paragraphs = [part for text in library_files for part in text.split("\n\n") if len(part) > 80]
    return [{"text": part, "n": number} for number, part in enumerate(paragraphs)]


def near(found: int, expected: int) -> bool:
    return abs(found - expected) <= NEAR * expected


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "jsonl.gz", "csv", "arrow", "tar", "txt"])
def test_a_plan_is_near_what_happens(
    tmp_path: Path, rows: list[dict[str, object]], suffix: str
) -> None:
    table = pa.Table.from_pylist(rows)
    source = tmp_path / "in"
    source.mkdir()
    for number in range(20):
        path = source / f"{number:02}.{suffix}"
        shard = table.slice(number * len(table) // 20, len(table) // 20)
        lines = "".join(json.dumps(row) + "\n" for row in shard.to_pylist())
        if suffix == "parquet":
            pq.write_table(shard, path)
        elif suffix == "arrow":
            with pa.ipc.new_file(path, shard.schema) as writer:
                writer.write_table(shard)
        elif suffix == "csv":
            shard.to_pandas().to_csv(path, index=False)
        elif suffix == "jsonl.gz":
            path.write_bytes(gzip.compress(lines.encode()))
        elif suffix == "tar":
            write_samples(path, shard.to_pylist())
        else:
            path.write_text(lines)
    plan = mithril.plan_files(source)
    report = mithril.dedup_files(source, tmp_path / "out")
    assert report.files
    assert near(plan.documents, report.documents)
    assert near(plan.text_bytes, report.bytes)
    assert near(plan.output_bytes, report.files.output_bytes)
    assert not plan.spools
    assert plan.seconds > 0
    if suffix in ("parquet", "txt"):
        assert plan.documents == report.documents
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]  # noqa: PTH208


def test_a_plan_in_little_memory_goes_the_way_of_the_run(tmp_path: Path) -> None:
    texts = [f"row {index} of many, {index * 7919 % 10007}" * 4 for index in range(230_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet")
    options: dict[str, Any] = {"memory": "64MiB", "temp_dir": tmp_path}
    plan = mithril.plan_files(tmp_path / "in.parquet", **options)
    report = mithril.dedup_files(tmp_path / "in.parquet", tmp_path / "out", memory="64MiB")
    assert report.files
    assert plan.spools
    hashes = 230_000 * report.banding.bands * 8
    assert near(plan.temporary_bytes, report.files.spooled_bytes + hashes)
    assert "temporary files" in str(plan)
    assert "<table" in plan._repr_html_()
    assert sorted(os.listdir(tmp_path)) == ["in.parquet", "out"]  # noqa: PTH208


def test_the_command_plans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a", "n": 1}\n{"text": "b", "n": 2}\n')
    assert main(["dedup", str(source), "--plan", "--quiet", "--keep", "max:n"]) == 0
    assert "documents        2 (2 B of text)" in capsys.readouterr().out
    assert main(["dedup", str(source), "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 2
    assert main(["dedup", str(source)]) == 2
    assert "--output is needed" in capsys.readouterr().err
    assert main(["dedup", str(source), "--plan", "--text-column", "words"]) == 2
    assert 'no column "words"' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["in.jsonl"]  # noqa: PTH208


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv", "tar.gz", "txt"])
def test_a_sample_has_the_rows_asked_for(
    tmp_path: Path, rows: list[dict[str, object]], suffix: str
) -> None:
    source, count = tmp_path / "in", 5
    source.mkdir()
    table = pa.Table.from_pylist(rows[:1000])
    for number in range(count):
        path, shard = source / f"{number}.{suffix}", table.slice(number * 200, 200)
        if suffix == "parquet":
            pq.write_table(shard, path)
        elif suffix == "csv":
            shard.to_pandas().to_csv(path, index=False)
        elif suffix == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in shard.to_pylist()))
        elif suffix == "tar.gz":
            write_samples(path, shard.to_pylist())
        else:
            path.write_text(str(shard["text"][0]))
    wanted = [(1, 1), (7, 7), (1000, 1000), (10**9, 1000)]
    if suffix == "txt":
        wanted = [(1, 1), (5, 5), (10**9, 5)]
    for asked, found in wanted:
        assert mithril.sample_files(source, asked).documents == found
    whole = mithril.dedup_files(source, tmp_path / "out")
    assert mithril.sample_files(source, 10**9).removed == whole.removed
    with pytest.raises(mithril.InvalidArgumentException, match="1 row or more"):
        mithril.sample_files(source, 0)


def test_the_command_says_what_would_become_of_a_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "one text"}\n{"text": "One text!"}\n{"text": "more"}\n')
    assert main(["dedup", str(source), "--sample", "2", "--quiet", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["documents"], report["removed"]) == (2, 1)
    assert main(["dedup", str(source), "--sample", "0", "--quiet"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_options_are_those_of_a_run(tmp_path: Path) -> None:
    run = inspect.signature(mithril.dedup_files).parameters
    known = set(run) - {"inputs", "output", "progress"}
    assert set(files.FileOptions.__annotations__) == known
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "a"}\n')
    cases: list[tuple[dict[str, Any], str]] = [
        ({"thresold": 1}, 'no option "thresold"'),
        ({"ngram": -1}, "ngram: .*whole number, 0 or more"),
        ({"ngram": 2.5}, "ngram: .*whole number, 0 or more"),
    ]
    for options, said in cases:
        with pytest.raises(mithril.InvalidArgumentException, match=said):
            mithril.plan_files(source, **options)
        with pytest.raises(mithril.InvalidArgumentException, match=said):
            mithril.sample_files(source, 1, **options)
