"""A run that ended early, however it did, is gone on from."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from samples import write_samples

import mithril
from mithril.cli import main

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 150_000
FILES = 3
GROUPS = 4
"""Row groups of a file."""
BLOCK = 1 << 16
"""Rows that are sketched before it is kept, in rust/mithril-dedup/src/sketch.rs."""
KILLS = int(os.environ.get("MITHRIL_KILLS", "4"))
"""Kills at random moments, with each of the options; ``make soak`` has 30."""

SCRIPT = """
import json, os, signal, sys
import mithril

source, output, phase, calls, options = sys.argv[1:]
left = int(calls)

def progress(name, done, total):
    global left
    if name == phase and done:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

report = mithril.dedup_files(source, output, resume=True, progress=progress, **json.loads(options))
print(json.dumps(report.files.resumed))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, library_files: list[str]) -> Path:
    """A folder with rows of which some are like others, in several files and row groups."""
    folder = tmp_path_factory.mktemp("in")
    lines = [line.strip() for text in library_files for line in text.split("\n")]
    lines = list(dict.fromkeys(line for line in lines if len(line) > 30))
    count = ROWS // FILES
    for file in range(FILES):
        rows = range(file * count, (file + 1) * count)
        texts = []
        for row in rows:
            # Three in a row are alike, of which two are the same.
            at = row // 3
            text = f"{lines[at * 7919 % len(lines)]} {lines[at * 31 % len(lines)]} {at % 40_000}"
            texts.append(
                f"{lines[at * 104729 % len(lines)]} {text}" + (" again" if row % 3 else "")
            )
        table = pa.table({"text": texts, "n": pa.array(rows)})
        pq.write_table(table, folder / f"{file}.parquet", row_group_size=count // GROUPS)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.json"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed(source: Path | str, output: Path | str, phase: str, calls: int, **options: Any) -> int:
    """Run until the process kills itself in a phase; returns what was taken over if it did not."""
    command = [sys.executable, "-c", SCRIPT, str(source), str(output), phase, str(calls)]
    done = subprocess.run(
        [*command, json.dumps(options)], check=False, capture_output=True, text=True
    )
    if done.returncode == -signal.SIGKILL:
        return -1
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_no_unit_is_done_again(tmp_path: Path, source: Path) -> None:
    one_thread: dict[str, Any] = {"threads": 1}
    mithril.dedup_files(source, tmp_path / "whole", **one_thread)
    distinct = len(pq.read_table(source)["text"].unique())
    sketched = -(-distinct // BLOCK)
    assert sketched > 1
    # Texts, exact copies, blocks of sketches, buckets.
    before_matching = FILES * GROUPS + 1 + sketched + 1
    places = [
        ("reading", 1, 1),
        ("reading", 7, 7),
        ("reading", FILES * GROUPS, FILES * GROUPS),
        ("matching", 1, before_matching + 1),
        ("matching", 5, before_matching + 5),
    ]
    for phase, calls, kept in places:
        output = tmp_path / f"{phase}-{calls}"
        assert killed(source, output, phase, calls, **one_thread) == -1
        assert not output.exists()
        assert killed(source, output, "", 1, **one_thread) == kept
        assert contents(output) == contents(tmp_path / "whole")
        shutil.rmtree(output)
    assert names(tmp_path) == ["whole"]


def test_a_part_that_is_whole_is_not_written_again(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    assert killed(source, output, "writing", 2, threads=1) == -1
    building = tmp_path / ".out.mithril-resume" / "new"
    parts = {path.name: path.stat().st_ino for path in building.glob("part-0000?.parquet")}
    assert len(parts) == 2
    # Another number of threads makes no difference, nor does other memory.
    assert killed(source, output, "", 1, threads=2, memory="64MiB") > 0
    assert {name: (output / name).stat().st_ino for name in parts} == parts
    mithril.dedup_files(source, tmp_path / "whole")
    assert contents(output) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"verify": "signature", "permutations": 32, "threshold": 0.7, "id_column": "n"},
        {"keep": "max:n", "cluster": "components", "threshold": 0.6},
        {"method": "exact", "against": True},
        {"method": "lines", "input_format": "text"},
        {"input_format": "jsonl", "id_column": "n"},
        {"input_format": "csv", "format": "jsonl"},
        {"input_format": "webdataset", "id_column": "json.n"},
    ],
)
def test_killed_at_random_and_gone_on_from(
    tmp_path: Path, source: Path, options: dict[str, Any]
) -> None:
    rows = pq.read_table(source).slice(0, 60_000)
    folder = tmp_path / "in"
    folder.mkdir()
    shape = options.get("input_format", "parquet")
    for file in range(FILES):
        suffix = "tar" if shape == "webdataset" else shape
        write(rows.slice(file * 20_000, 20_000), folder / f"{file}.{suffix}")
    if options.get("against"):
        options = options | {"against": [str(source / "0.parquet")]}
    start = time.monotonic()
    whole = killed(folder, tmp_path / "other", "", 1, **options)
    assert whole == 0
    took = time.monotonic() - start
    mithril.dedup_files(folder, tmp_path / "whole", **options)
    assert contents(tmp_path / "other") == contents(tmp_path / "whole")

    draw = random.Random(str(options))
    kills = 0
    while kills < KILLS:
        output = tmp_path / "out"
        command = [sys.executable, "-c", SCRIPT, str(folder), str(output), "", "1"]
        command.append(json.dumps(options))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=draw.uniform(0.3, 1) * took)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, errors
        assert contents(output) == contents(tmp_path / "whole")
        assert names(tmp_path) == ["in", "other", "out", "whole"]
        shutil.rmtree(output)
    if (tmp_path / ".out.mithril-resume").exists():
        killed(folder, tmp_path / "out", "", 1, **options)
        assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def write(rows: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        pq.write_table(rows, path, row_group_size=5_000)
    elif path.suffix == ".csv":
        pa.csv.write_csv(rows, path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    elif path.suffix == ".tar":
        write_samples(path, rows.slice(0, 3_000).to_pylist())
    else:
        path.write_text("\n".join(rows["text"].to_pylist()))


def test_a_finished_run_is_not_run_again(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    first = mithril.dedup_files(source, output, resume=True)
    assert first.files
    assert first.files.resumed == 0
    written = (output / "part-00000.parquet").stat().st_ino
    assert mithril.dedup_files(source, output, resume=True) == first
    assert (output / "part-00000.parquet").stat().st_ino == written
    # Unless it is not whole, or other options are asked for.
    with pytest.raises(mithril.OutputInTheWayException):
        mithril.dedup_files(source, output, resume=True, threshold=0.9)
    (output / "part-00000.parquet").unlink()
    with pytest.raises(mithril.OutputInTheWayException):
        mithril.dedup_files(source, output, resume=True)
    assert names(tmp_path) == ["out"]
    mithril.dedup_files(source, output, resume=True, overwrite=True)
    assert (output / "part-00000.parquet").exists()
    assert names(tmp_path) == ["out"]


def test_what_has_changed_is_named(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(source, folder)
    output = tmp_path / "out"
    kept = tmp_path / ".out.mithril-resume"
    assert killed(folder, output, "matching", 1) == -1

    def answer(**options: Any) -> str:
        with pytest.raises(mithril.CannotResumeException) as caught:
            mithril.dedup_files(folder, output, resume=True, **options)
        assert caught.value.kind == "cannot_resume"
        assert str(kept) in str(caught.value)
        return str(caught.value)

    assert "threshold is 0.9 and was 0.8" in answer(threshold=0.9)
    assert 'keep_column is "n" and was null' in answer(keep="max:n") or "keep is" in answer(
        keep="max:n"
    )
    (folder / "3.parquet").write_bytes((folder / "0.parquet").read_bytes())
    assert f"{folder / '3.parquet'} is new" in answer()
    (folder / "3.parquet").unlink()
    (folder / "2.parquet").rename(tmp_path / "moved.parquet")
    assert f"{folder / '2.parquet'} is gone" in answer()
    shutil.copyfile(source / "1.parquet", folder / "2.parquet")
    assert f"{folder / '2.parquet'} has changed" in answer()
    arguments = ["dedup", str(folder), "--output", str(output), "--resume", "--quiet"]
    assert main(arguments) == 1
    assert "has changed; run without --resume" in capsys.readouterr().err
    assert not output.exists()

    # Without it a run begins anew, and what was kept is gone.
    mithril.dedup_files(folder, output)
    assert names(tmp_path) == ["in", "moved.parquet", "out"]


def test_two_runs_do_not_work_on_one_output(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    seen: list[str] = []

    def progress(phase: str, done: int, _: int) -> None:
        if phase == "matching" and done and not seen:
            for other in (None, tmp_path / "other"):
                with pytest.raises(mithril.CannotResumeException, match="another run is at work"):
                    mithril.dedup_files(source, output, resume=True, temp_dir=other)
            seen.append(phase)

    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    for temporary in (None, tmp_path / "one"):
        mithril.dedup_files(source, output, resume=True, temp_dir=temporary, progress=progress)
        assert seen
        seen.clear()
        assert names(tmp_path) == ["one", "other", "out"]
        shutil.rmtree(output)


@pytest.mark.parametrize("name", ["texts-0", "bands", "read.journal", "select.journal", "run.json"])
def test_what_was_lost_is_done_again(tmp_path: Path, source: Path, name: str) -> None:
    output = tmp_path / "out"
    mithril.dedup_files(source, tmp_path / "whole")
    assert killed(source, output, "writing", 1, threads=1) == -1
    path = tmp_path / ".out.mithril-resume" / name
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = bytes(len(data[middle : middle + 100]))
    path.write_bytes(data)
    mithril.dedup_files(source, output, resume=True)
    assert contents(output) == contents(tmp_path / "whole")


FULL = """
import resource, signal, sys
import mithril

source, output, temporary, limit = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    mithril.dedup_files(source, output, resume=True, temp_dir=temporary)
except mithril.DedupException as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [100_000, 3_000_000])
def test_a_full_disk_is_gone_on_from(tmp_path: Path, source: Path, limit: int) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    output = tmp_path / "out"
    command = [sys.executable, "-c", FULL, str(source), str(output), str(temporary), str(limit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "cannot write" in done.stdout
    assert str(temporary) in done.stdout
    assert not output.exists()
    assert mithril.dedup_files(source, output, resume=True, temp_dir=temporary).removed > 0
    mithril.dedup_files(source, tmp_path / "whole")
    assert contents(output) == contents(tmp_path / "whole")
    assert names(tmp_path) == ["out", "temporary", "whole"]
    assert not names(temporary)


def test_from_bucket_to_bucket(tmp_path: Path, source: Path, bucket: str) -> None:
    store = mithril.open_store(f"s3://{bucket}")
    for path in source.iterdir():
        store.put(f"in/{path.name}", path.read_bytes())
    output = f"s3://{bucket}/out"
    temporary: dict[str, Any] = {"temp_dir": str(tmp_path)}
    for phase, calls in (("reading", 5), ("matching", 3), ("writing", 2)):
        assert killed(f"s3://{bucket}/in", output, phase, calls, **temporary) == -1
        assert "out/report.json" not in store.list("out/")
    # What somebody else has put in its place is not taken for a part.
    for key in store.list("out/"):
        store.put(key, bytes(len(store.get(key))))
    assert killed(f"s3://{bucket}/in", output, "", 1, **temporary) > FILES * GROUPS
    assert not names(tmp_path)
    mithril.dedup_files(source, tmp_path / "whole", id_column=None)
    keys = {key.rsplit("/", 1)[1]: key for key in store.list("out/") if "report" not in key}
    written = {name: bytes(store.get(key)) for name, key in keys.items()}
    wanted = contents(tmp_path / "whole")
    assert written.keys() == wanted.keys()
    # The table of duplicates names files, which have other names here.
    assert all(written[name] == wanted[name] for name in written if name.startswith("part-"))


def test_parts_of_another_run_are_not_taken(tmp_path: Path, source: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    output = tmp_path / "out"
    first: dict[str, Any] = {"threshold": 0.5, "temp_dir": str(one), "threads": 1}
    # Where the output is built is the same for both, what else is kept is not.
    assert killed(source, output, "writing", 2, **first) == -1
    second: dict[str, Any] = {"threshold": 0.95, "temp_dir": str(other), "threads": 1}
    assert killed(source, output, "writing", 3, **second) == -1
    assert killed(source, output, "", 1, **first) > 0
    mithril.dedup_files(source, tmp_path / "whole", threshold=0.5)
    assert contents(output) == contents(tmp_path / "whole")


def test_a_part_that_has_changed_is_written_again(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    assert killed(source, output, "writing", 3, threads=1) == -1
    building = tmp_path / ".out.mithril-resume" / "new"
    first, second = sorted(building.glob("part-0000?.parquet"))[:2]
    inode = second.stat().st_ino
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    assert killed(source, output, "", 1, threads=1) > 0
    assert (output / second.name).stat().st_ino == inode
    mithril.dedup_files(source, tmp_path / "whole")
    assert contents(output) == contents(tmp_path / "whole")


def test_an_output_has_one_name_before_it_is_there_and_after(tmp_path: Path, source: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    output, options = tmp_path / "link" / "new" / "out", {"temp_dir": str(temporary)}
    assert killed(source, output, "matching", 2, **options) == -1
    assert killed(source, output, "", 1, **options) > FILES
    assert names(tmp_path / "real" / "new") == ["out"]
    assert not names(temporary)


@pytest.mark.parametrize("wrong", [{"text_column": "nothing"}, {"threshold": 7}, {"overwrite": 0}])
def test_a_run_that_is_refused_leaves_nothing(tmp_path: Path, wrong: dict[str, Any]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a text"}\n')
    output = tmp_path / "a" / "b" / "out"
    if "overwrite" in wrong:
        output = tmp_path / "file" / "out"
        output.parent.write_text("")
    with pytest.raises(mithril.MithrilException):
        mithril.dedup_files(rows, output, resume=True, **wrong)
    assert not (tmp_path / "a").exists()


def test_runs_with_and_without_resuming_at_one_time(tmp_path: Path) -> None:
    rows, output = tmp_path / "rows.jsonl", tmp_path / "out"
    rows.write_text("".join(f'{{"text": "a text {row} {row**7}"}}\n' for row in range(500)))
    mithril.dedup_files(rows, tmp_path / "whole")
    wanted, outcomes = contents(tmp_path / "whole"), set()

    def run(number: int) -> None:
        for _ in range(40):
            try:
                mithril.dedup_files(rows, output, resume=number % 2 == 0, overwrite=True)
            except mithril.CannotResumeException as error:
                outcomes.add(str(error).rpartition(": ")[2])
            else:
                outcomes.add("done")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    kept_away = {outcome for outcome in outcomes if "another run is at work" in outcome}
    assert outcomes - kept_away == {"done"}
    assert contents(output) == wanted
    assert names(tmp_path) == ["out", "rows.jsonl", "whole"]


def test_what_was_moved_away_comes_back(tmp_path: Path) -> None:
    rows, output, kept = tmp_path / "rows.jsonl", tmp_path / "out", tmp_path / ".out.mithril-resume"
    rows.write_text('{"text": "a text"}\n')
    mithril.dedup_files(rows, output)
    before = contents(output)
    # As a run leaves it that ends between the two steps that replacing takes on some file systems.
    kept.mkdir()
    output.rename(kept / "old")
    with pytest.raises(mithril.OutputInTheWayException):
        mithril.dedup_files(rows, output)
    assert contents(output) == before
    assert mithril.dedup_files(rows, output, resume=True, overwrite=True).documents == 1
    assert names(tmp_path) == ["out", "rows.jsonl"]


def test_a_link_in_the_place_of_what_is_kept_is_not_followed(tmp_path: Path) -> None:
    rows, folder = tmp_path / "rows.jsonl", tmp_path / "folder"
    rows.write_text('{"text": "a text"}\n')
    folder.mkdir()
    (folder / "of-somebody").write_text("not to be removed")
    (tmp_path / ".out.mithril-resume").symlink_to(folder)
    with pytest.raises(mithril.DedupException, match="a link is in the place"):
        mithril.dedup_files(rows, tmp_path / "out", resume=True)
    assert names(folder) == ["of-somebody"]


def test_an_account_that_cannot_be_read_is_not_removed(tmp_path: Path, source: Path) -> None:
    assert killed(source, tmp_path / "out", "sketching", 1) == -1
    account = tmp_path / ".out.mithril-resume" / "run.json"
    assert account.parent.stat().st_mode & 0o077 == 0
    said = json.loads(account.read_text())
    account.write_text(json.dumps({"version": "0.0.1", "of": said["inputs"]}))
    with pytest.raises(mithril.CannotResumeException, match=r"begun by version 0\.0\.1"):
        mithril.dedup_files(source, tmp_path / "out", resume=True)
    assert (account.parent / "read.journal").exists()
