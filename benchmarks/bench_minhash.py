"""Time MinHash and deduplication beside other packages.

Run it with ``make bench-minhash``. It prints tables, and writes them with a chart into ``docs/``.
Every number of threads has processes of its own; with one thread, they have one processor.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora import write_columns
from minhash_account import account
from minhash_chart import draw
from peers import PEERS, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("tokens", "column", "keep", "flat")
ROOT = Path(__file__).parents[1]
# What the thread pools of the packages, and of what they are built on, go by.
THREAD_VARIABLES = (
    "RAYON_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "DAFT_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
)
SIZES = {
    "repetitions": 5,
    "tokens": 3_000_000,
    "column": 40_000_000,
    "keep": 60_000,
    "sample": 8000,
    "flat_documents": 2_000_000,
}
QUICK_SIZES = {
    "repetitions": 2,
    "tokens": 300_000,
    "column": 3_000_000,
    "keep": 5000,
    "sample": 2000,
    "flat_documents": 100_000,
}


def main() -> None:
    """Measure every part, print the account and write it."""
    options = arguments()
    sizes = QUICK_SIZES if options.quick else SIZES
    for name in PEERS:
        if installed(name) is None:
            print(f"{name} is not installed here: it is left out")
    rows: list[dict[str, Any]] = []
    if not options.quick:
        touch_memory()
    with tempfile.TemporaryDirectory() as folder:
        write_columns(Path(folder), sizes["column"], sizes["keep"])
        for threads in options.threads:
            for part in options.only or PARTS:
                if part == "flat" and threads != options.threads[0]:
                    continue
                # What is kept does not hang on the threads: it is judged once.
                wanted = sizes if threads == options.threads[0] else sizes | {"sample": 0}
                print(f"measuring {part} with {threads} threads", file=sys.stderr)
                measured = measure(part, folder, threads, wanted)
                rows += [row | {"threads": threads} for row in measured]
    text = account(rows, quick=options.quick)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "minhash-benchmark.md").write_text(text, encoding="utf-8")
    draw(rows, options.output / "minhash-benchmark.svg")


def touch_memory() -> None:
    """Write to most of the memory that is free.

    A virtual machine gets a page from its host when it first writes to it, which takes tens of
    times as long as any other page fault (12 us for 4 KiB, as measured): whoever came first would
    pay for the others.
    """
    if not hasattr(os, "sysconf") or "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with mmap.mmap(-1, max(mmap.PAGESIZE, free * 3 // 4)) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


def arguments() -> argparse.Namespace:
    """Read the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, os.cpu_count() or 1}),
        help="numbers of threads (default: one, and one for each processor)",
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs", help="where the account goes (docs)"
    )
    return parser.parse_args()


def measure(part: str, folder: str, threads: int, sizes: dict[str, int]) -> list[dict[str, Any]]:
    """Run one part in a process of its own."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    paths = [str(ROOT / "tests_py"), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment |= {"DAFT_PROGRESS_BAR": "0", "DO_NOT_TRACK": "true", "DAFT_ANALYTICS_ENABLED": "0"}
    command = [sys.executable, str(Path(__file__).with_name("contest.py")), part, folder]
    with processors(threads):
        child = subprocess.run(
            [*command, str(threads), json.dumps(sizes)],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
    measured: list[dict[str, Any]] = json.loads(child.stdout.splitlines()[-1])
    return measured


@contextmanager
def processors(count: int) -> Iterator[None]:
    """Give processes that start meanwhile no more than `count` processors, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
