"""Time ``import mithril``, beside a Python that imports nothing, and beside numpy.

Run it with ``make bench-import``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPETITIONS = 21


def milliseconds(code: str) -> float:
    """Return the median time of a new process that runs such code."""
    taken = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def main() -> None:
    """Measure, and print."""
    bare = milliseconds("pass")
    for name in ("mithril", "numpy"):
        print(f"import {name}: {milliseconds(f'import {name}') - bare:.0f} ms")


if __name__ == "__main__":
    main()
