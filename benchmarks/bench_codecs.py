"""Time hashing and compression beside other packages.

Run it with ``make bench-codecs``. All packages run in turns in one process, each in the fastest way
that it offers from Python. The account is printed, and written to ``docs/codecs-benchmark.md``.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

from codecs_account import Measured, account
from codecs_contenders import PARTS, Case

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure every case, print the account and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone")
    parser.add_argument("--repetitions", type=int, default=9, help="timed runs of each (9)")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="for the page (docs)")
    options = parser.parse_args()
    measured = []
    for name in options.only or PARTS:
        for case in PARTS[name](4 << 20 if options.quick else 64 << 20):
            print(f"measuring {name}: {case.name}", file=sys.stderr)
            measured += race(name, case, options.repetitions)
    text = account(measured, quick=options.quick)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "codecs-benchmark.md").write_text(text, encoding="utf-8")


def race(part: str, case: Case, repetitions: int) -> list[Measured]:
    """Let each contender run once for nothing, and then all of them in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in case.runs}
    sizes: dict[str, int] = {}
    for repetition in range(repetitions + 1):
        for name, run in case.runs.items():
            gc.collect()
            start = time.perf_counter()
            outcome = run()
            elapsed = time.perf_counter() - start
            if repetition:
                seconds[name].append(elapsed)
            elif case.has_size:
                sizes[name] = len(outcome)  # type: ignore[arg-type]
            del outcome
    return [
        Measured(part, case.name, case.work, case.goal, name, seconds[name], sizes.get(name))
        for name in case.runs
    ]


if __name__ == "__main__":
    main()
