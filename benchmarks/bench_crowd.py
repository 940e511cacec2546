"""Time rows of which half share one paragraph, beside the same rows without it.

Run it with ``make bench-crowd``. The similarity of two rows that share the paragraph is between 0.4
and 0.7, below the threshold of 0.8, so that nothing is to be removed for it; and yet they share
buckets.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa

import mithril

NGRAM = 3
OWN = (14, 40)
PARAGRAPH = 56


def texts(rows: int, kind: str) -> pa.Array:
    """Make rows of random words.

    Args:
        rows: How many.
        kind: ``"shared"`` puts the paragraph before every second row, ``"own"`` as many words of
            the row's own, ``"none"`` nothing; ``"same"`` makes rows that differ in their last word,
            ``"identical"`` one and the same row.
    """
    draw = np.random.default_rng(5)
    words = np.array([f"{word:x}" for word in range(1 << 16)], dtype=object)
    paragraph = " ".join(words[draw.integers(0, len(words), PARAGRAPH)])
    made = []
    for row in range(rows):
        count = PARAGRAPH + int(draw.integers(*OWN))
        own = words[draw.integers(0, len(words), count)]
        text = " ".join(own[PARAGRAPH:])
        if kind in ("same", "identical"):
            text = f"{paragraph} {row if kind == 'same' else 0}"
        elif row % 2 and kind == "shared":
            text = f"{paragraph} {text}"
        elif row % 2 and kind == "own":
            text = " ".join(own)
        made.append(text)
    return pa.array(made)


def measure(rows: int, kind: str, repetitions: int) -> None:
    """Print the median of the seconds, the rows removed and the most memory."""
    column = texts(rows, kind)
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        result = mithril.deduplicate(column, ngram=NGRAM, shingle="whitespace")
        seconds.append(time.perf_counter() - start)
    size = column.nbytes / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    report = result.report
    print(
        f"{rows:>9,} {kind:>7} {size:>6.0f} MB of text {statistics.median(seconds):>7.2f} s "
        f"{report.removed:>9,} removed {report.candidate_pairs:>12,} pairs compared, "
        f"peak {peak:>6.0f} MB",
        flush=True,
    )


def main() -> None:
    """Measure each kind in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--kind", choices=["none", "own", "shared", "same", "identical"])
    options = parser.parse_args()
    if options.kind:
        measure(options.rows[0], options.kind, options.repetitions)
        return
    for rows in options.rows:
        for kind in ("none", "own", "shared", "same", "identical"):
            arguments = ["--rows", str(rows), "--kind", kind]
            arguments += ["--repetitions", str(options.repetitions)]
            subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    main()
