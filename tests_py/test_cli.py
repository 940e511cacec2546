"""The command, as a stranger meets it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mithril


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mithril", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "some words here", "n": 1}\n{"text": "Some words here!", "n": 2}\n')
    return source


def test_a_summary_for_a_person(rows: Path, tmp_path: Path) -> None:
    done = run("dedup", rows, "--output", tmp_path / "out")
    assert done.returncode == 0
    assert done.stderr == ""  # no progress bar in a pipe
    assert "removed            1 (50.0%)" in done.stdout
    assert "99.2% promised at threshold 0.8" in done.stdout
    assert str(tmp_path / "out") in done.stdout


def test_json_is_the_report(rows: Path, tmp_path: Path) -> None:
    done = run("dedup", rows, "--output", tmp_path / "out", "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())


def test_quiet_says_nothing(rows: Path, tmp_path: Path) -> None:
    done = run("dedup", rows, "--output", tmp_path / "out", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_options_of_lines_reach_the_engine_and_are_for_them(rows: Path, tmp_path: Path) -> None:
    lines = ["--method", "lines", "--min-length", "7", "--min-count", "3", "--json"]
    done = run("dedup", rows, "--output", tmp_path / "out", *lines)
    options = json.loads(done.stdout)["options"]
    assert (options["min_length"], options["min_count"]) == (7, 3)
    for option in ("--min-length", "--min-count"):
        done = run("dedup", rows, "--output", tmp_path / "other", option, "3")
        assert done.returncode == 2
        assert "are for methods lines and paragraphs" in done.stderr


def test_what_only_tells_is_told_alone_and_however_quietly(rows: Path) -> None:
    done = run("dedup", rows, "--plan", "--sample", "3")
    assert done.returncode == 2
    assert "not allowed with" in done.stderr
    for option, said in [("--plan", "temporary files"), ("--sample=2", "removed")]:
        assert said in run("dedup", rows, option, "--quiet").stdout


def test_every_option_is_on_the_page_of_the_command() -> None:
    root = Path(__file__).parent.parent
    page = (root / "README.md").read_text(encoding="utf-8").split("## The command")[1]
    page = page.split("## More")[0] + (root / "docs/api/command.md").read_text(encoding="utf-8")
    for command in (["dedup"], ["explain"], ["index", "build"], ["index", "query"]):
        said = run(*command, "--help").stdout
        options = set(re.findall(r"^  (--[a-z-]+)", said, re.MULTILINE)) - {"--help", "--version"}
        assert f"mithril {command[0]}" in page
        # Of what is so anyway the opposite.
        named = {option for option in options if re.search(rf"--(no-)?{option[2:]}\b", page)}
        assert named == options


def test_every_option_reaches_the_engine(rows: Path, tmp_path: Path) -> None:
    options = (
        "--method minhash --text-column text --id-column n --threshold 0.7 --recall 0.9"
        " --permutations 64 --seed 7"
        " --shingle chars --ngram 3 --no-lowercase --verify signature --keep max:n --format parquet"
        " --threads 1 --overwrite --input-format jsonl --unicode-form nfkc --casefold"
        " --strip-accents --strip-punctuation --collapse-digits --cluster components --audit 5"
        f" --against {rows} --no-within"
    )
    for _ in range(2):
        done = run("dedup", rows, "--output", tmp_path / "out", "--json", *options.split())
        assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["options"] == {
        "method": "minhash",
        "threshold": 0.7,
        "recall": 0.9,
        "permutations": 64,
        "seed": 7,
        "shingle": "chars",
        "ngram": 3,
        "lowercase": False,
        "unicode_form": "nfkc",
        "casefold": True,
        "strip_accents": True,
        "strip_punctuation": True,
        "collapse_digits": True,
        "verify": "signature",
        "keep": "max",
        "cluster": "components",
        "within": False,
        "audit": 5,
        "min_length": 20,
        "min_count": 2,
        "threads": 1,
    }
    files = report["files"]
    assert (files["text_column"], files["id_column"], files["keep_column"]) == ("text", "n", "n")
    assert (files["input_format"], files["output_format"]) == ("jsonl", "parquet")


def test_a_folder_that_is_no_output_is_named(tmp_path: Path) -> None:
    done = run("explain", tmp_path, "0")
    assert done.returncode == 1
    assert f"{tmp_path}: no output of mithril dedup" in done.stderr


def test_a_removed_row_is_explained(tmp_path: Path) -> None:
    text = "the cat sat on the mat and looked at me"
    table = pa.table({"text": [text, None, text + " twice"], "name": ["a", "b", "c"]})
    sources = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    pq.write_table(table.slice(0, 1), sources[0])
    pq.write_table(table.slice(1), sources[1])
    output = tmp_path / "out"
    assert run("dedup", *sources, "--output", output, "--id-column", "name").returncode == 0
    done = run("explain", output, "c")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "row c was removed for row a: similarity 0.857, 6 of 7 shingles in common\n"
        f"  removed: {text} twice\n"
        f"  kept:    {text}\n"
        "  only in the removed one: and looked at me twice\n"
    )
    found = json.loads(run("explain", output, "c", "--json").stdout)
    assert (found["row"], found["kept_row"], found["text"]) == ("c", "a", f"{text} twice")
    done = run("explain", output, "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no row with the id b was removed" in done.stderr
    sources[1].unlink()
    done = run("explain", output, "c")
    assert done.returncode == 1
    assert "two.parquet" in done.stderr
    assert run("explain", tmp_path, "c").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required"),
        (["dedup"], "required"),
        (["dedup", "ROWS"], "--output"),
        (["dedup", "ROWS", "--output", "OUT", "--threshold", "x"], "--threshold"),
        (["dedup", "ROWS", "--output", "OUT", "--threshold", "1.5"], "threshold must be"),
        (["dedup", "ROWS", "--output", "OUT", "--keep", "max"], "max:COLUMN"),
        (["dedup", "ROWS", "--output", "OUT", "--shingle", "x"], "--shingle"),
        (["dedup", "ROWS", "--output", "OUT", "--unicode-form", "nfd"], "--unicode-form"),
        (["dedup", "ROWS", "--output", "OUT", "--text-column", "x"], "the columns are: text, n"),
    ],
)
def test_wrong_use_ends_with_2(
    rows: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    places = {"ROWS": str(rows), "OUT": str(tmp_path / "out")}
    done = run(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_failure_ends_with_1(rows: Path, tmp_path: Path) -> None:
    for arguments, message in [
        ((tmp_path / "no.jsonl", "--output", tmp_path / "out"), "no such file"),
        ((rows, "--output", tmp_path), "exists"),
        ((rows, "--output", "/proc/nowhere/out"), "cannot write"),
    ]:
        done = run("dedup", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("mithril: error: ")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_terminal_sees_progress(rows: Path, tmp_path: Path) -> None:
    rows.write_text("".join(f'{{"text": "row {row} of many"}}\n' for row in range(50_000)))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mithril", "dedup", str(rows)]
    child = subprocess.Popen(
        [*command, "--output", str(tmp_path / "out")], stderr=theirs, stdout=subprocess.DEVNULL
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
    assert child.wait() == 0
    os.close(ours)
    assert b"left" in seen
    assert b"/s" in seen


def test_version_and_help() -> None:
    assert run("--version").stdout == f"mithril {mithril.__version__}\n"
    shown = run("dedup", "--help").stdout
    for option in ("--threshold", "--recall", "--keep", "--no-lowercase", "--text-column"):
        assert option in shown
