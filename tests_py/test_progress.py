"""Progress: bars of tqdm, functions, and nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tqdm import tqdm

import mithril
from mithril.progress import reporting

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [f"text number {number} of a few words" for number in range(2000)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Counter:
    """The least that counts as a bar."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.seen: list[tuple[int | None, int]] = []

    def update(self, n: int = 1, /) -> None:
        self.seen.append((self.total, n))


def test_nothing_and_functions_go_to_the_engine_as_they_are() -> None:
    def function(_phase: str, _done: int, _total: int) -> None: ...

    ways: list[tuple[Any, Any]] = [
        (None, None),
        (False, None),
        ("console", True),
        (function, function),
    ]
    for progress, expected in ways:
        with reporting(progress) as report:
            assert report is expected
    for wrong in (7, "text", [print]):
        with (
            pytest.raises(TypeError, match="progress must be"),
            reporting(wrong),  # type: ignore[arg-type]
        ):
            pass


def test_a_bar_is_set_back_for_each_phase() -> None:
    bar = tqdm(total=7, file=io.StringIO(), mininterval=0)
    with reporting(bar) as report:
        assert callable(report)
        report("read", 0, 10)
        report("read", 4, 10)
        report("read", 3, 10)  # overtaken by another thread
        report("read", 10, 10)
        assert (bar.n, bar.total, bar.desc) == (10, 10, "read: ")
        report("match", 0, 0)
        report("match", 5, 0)
        assert (bar.n, bar.total) == (5, None)
        report("match", 0, 3)
        report("match", 1, 3)
        assert (bar.n, bar.total) == (1, 3)
    assert not bar.disable  # it is its owner's to close
    bar.close()


def test_anything_with_update_and_total_is_a_bar() -> None:
    counter = Counter()
    mithril.deduplicate(TEXTS, progress=counter)
    assert counter.seen
    totals = {total for total, _ in counter.seen if total is not None}
    for total in totals:
        assert sum(n for of, n in counter.seen if of == total) % total == 0


def test_a_bar_counts_what_a_run_does(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"text": "{text}"}}\n' for text in TEXTS))
    bar = tqdm(file=io.StringIO())
    mithril.dedup_files(path, tmp_path / "out", progress=bar)
    assert bar.n == bar.total > 0
    bar.close()


def test_an_error_of_a_bar_is_raised() -> None:
    class Broken(Counter):
        def update(self, n: int = 1, /) -> None:
            raise ZeroDivisionError(n)

    with pytest.raises(ZeroDivisionError):
        mithril.deduplicate(TEXTS, progress=Broken())


def test_true_is_a_bar_of_tqdm_for_each_phase_where_there_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with reporting(progress=True) as report:
        assert callable(report)
        report("read", 0, 10)
        report("read", 10, 10)
        report("sketch", 0, 5)
    assert "read" in terminal.getvalue()
    assert "sketch" in terminal.getvalue()
    silent = io.StringIO()
    monkeypatch.setattr(sys, "stderr", silent)
    with reporting(progress=True) as report:
        assert callable(report)
        report("read", 0, 10)
        report("read", 10, 10)
    assert silent.getvalue() == ""


def test_many_threads_may_report_at_once() -> None:
    counter = Counter()
    with reporting(counter) as report:
        assert callable(report)
        report("read", 0, 800)
        lock, done = threading.Lock(), [0]

        def work() -> None:
            for _ in range(100):
                with lock:
                    done[0] += 1
                    now = done[0]
                report("read", now, 800)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(n for _, n in counter.seen) == 800


def test_without_tqdm_the_engine_has_a_bar_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with reporting(progress=True) as report:
        assert report is True


@pytest.mark.parametrize("without", [True, False])
def test_a_run_with_a_bar_works_with_and_without_tqdm(without: Any) -> None:
    program = f"""
import sys
if {without}:
    sys.modules["tqdm"] = sys.modules["tqdm.auto"] = None
import mithril
assert mithril.deduplicate(["a text", "a text"], progress=True).keep.tolist() == [True, False]
assert ("tqdm" in sys.modules and sys.modules["tqdm"] is not None) != {without}
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
