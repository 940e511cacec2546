"""The command ``mithril index``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from processes import LIMIT
from test_dedup import TEXTS

from mithril import MinHashIndex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mithril", "index", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=LIMIT)


def rows(path: Path, texts: Sequence[str | None], ids: Sequence[int] | None = None) -> Path:
    columns: dict[str, Any] = {"text": texts} if ids is None else {"text": texts, "id": ids}
    pq.write_table(pa.table(columns), path)
    return path


def test_the_command(tmp_path: Path) -> None:
    one = rows(tmp_path / "one.parquet", TEXTS)
    index = tmp_path / "index"
    done = command("build", one, "--index", index, "--key", "corpus")
    assert (done.returncode, done.stderr) == (0, "")
    assert "added           5\n" in done.stdout
    two = rows(tmp_path / "two.parquet", ["a third text", "one text of some words"])
    done = command("add", two, "--index", index, "--key", "corpus", "--json")
    told = json.loads(done.stdout)
    assert (told["added"], told["documents"], told["segments"]) == (2, 7, 2)

    done = command("query", two, "--index", index, "--key", "corpus")
    assert done.stdout == "0\t5\t1.0000\n1\t0\t1.0000\n1\t3\t1.0000\n1\t6\t1.0000\n"
    named = rows(tmp_path / "named.parquet", ["a third text", "nothing like it"], [17, 18])
    done = command(
        "query", named, "--index", index, "--key", "corpus", "--id-column", "id", "--json"
    )
    assert [json.loads(row) for row in done.stdout.splitlines()] == [
        {"row": 0, "id": 17, "matches": [{"id": 5, "similarity": 1.0}]},
        {"row": 1, "id": 18, "matches": []},
    ]
    done = command("query", "--text", "A third text!", "--index", index, "--key", "corpus")
    assert done.stdout == "0\t5\t1.0000\n"
    done = command("stats", "--index", index, "--key", "corpus", "--json")
    told = json.loads(done.stdout)
    assert (told["documents"], told["options"]["threshold"]) == (7, 0.8)
    assert "documents       7\n" in command("stats", "--index", index, "--key", "corpus").stdout


def test_ids_of_a_column(tmp_path: Path) -> None:
    source = rows(tmp_path / "rows.parquet", ["one", "two"], [30, 20])
    done = command("build", source, "--index", tmp_path / "index", "--id-column", "id", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert MinHashIndex.open(tmp_path / "index").ids().tolist() == [20, 30]
    again = command("add", source, "--index", tmp_path / "index", "--id-column", "id")
    assert again.returncode == 2
    assert "row 0: id 30 is in the index already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("build {rows} --index {index}", 1, "an index is there already"),
        ("build {rows} --index {new} --threshold 2", 2, "threshold must be"),
        ("build {rows} --index {new} --text-column body", 2, 'no column "body"'),
        ("build {rows} --index {new} --id-column text", 2, "ids must be integers"),
        ("build nowhere.parquet --index {new}", 1, "no such file"),
        ("add {rows} --index {new}", 1, "no such folder"),
        ("add {rows} --index {index} --key other", 1, "Object not found"),
        ("query --index {index}", 2, "give either files or --text"),
        ("query {rows} --text x --index {index}", 2, "give either files or --text"),
        ("query --text x --index {index} --threshold 3", 2, "threshold must be"),
        ("stats --index {damaged}", 1, "manifest: it is cut"),
    ],
)
def test_wrong_use_of_the_command(tmp_path: Path, arguments: str, code: int, message: str) -> None:
    source = rows(tmp_path / "rows.parquet", ["one", "two"])
    index = MinHashIndex()
    index.save(tmp_path / "index")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest").write_bytes(b"MTHR")
    places = {name: tmp_path / name for name in ("index", "new", "damaged")}
    done = command(*(word.format(rows=source, **places) for word in arguments.split()))
    assert done.returncode == code
    assert done.stderr.startswith("mithril: error: ")
    assert message in done.stderr
