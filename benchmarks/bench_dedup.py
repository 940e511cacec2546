"""Time the whole command on real short documents: the changelogs of this machine's packages.

Run it with ``make bench-dedup``. The corpus is a Parquet file with one row for each entry of the
changelogs under ``/usr/share/doc``, where Debian keeps them, and each section of upstream ones.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import mithril

RUNS = 5
VARIANTS = [(), ("--threads", "1"), ("--shingle", "whitespace"), ("--shingle", "chars")]
LEAST_DOCUMENTS = 60_000
DOCUMENTATION = Path("/usr/share/doc")
# "bash (5.2.15-2) unstable; urgency=medium", or a date in front of a name as GNU writes it.
ENTRY = re.compile(r"^(?=\S+ \([^)]+\) [^;\n]+;)|^(?=\d{4}-\d\d-\d\d\s)|\n{2,}(?=\S)", re.MULTILINE)


def main() -> None:
    """Build the corpus, run the command a few times and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "changelogs.parquet")
        # In a process of its own: the peak of a child begins with the memory of its parent.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as writer:
            count, size = writer.submit(write_corpus, corpus).result()
        if count < LEAST_DOCUMENTS:
            sys.exit(f"only {count:,} changelog entries under {DOCUMENTATION}: too few to tell")
        print(f"{count:,} entries, {size / 1e6:.1f} MB of text, {size // count} bytes on average")
        print(f"mithril {mithril.__version__}, {os.cpu_count()} cores, {processor()}\n")
        print(f"{'options':<42} {'median':>8} {'fastest':>8} {'memory':>8} {'removed':>8}")
        for options in VARIANTS:
            seconds, memory, removed = measure(corpus, Path(folder, "out"), options)
            print(
                f"{' '.join(options) or 'as they come':<42} {statistics.median(seconds):>6.2f} s "
                f"{min(seconds):>6.2f} s {memory / 1e6:>5.0f} MB {removed:>8,}"
            )


def write_corpus(path: Path) -> tuple[int, int]:
    """Write the entries to a Parquet file; their number and their bytes."""
    import pyarrow as pa  # noqa: PLC0415 - only the process that writes needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    packages, texts = [], []
    for source in sorted(DOCUMENTATION.glob("*/*")):
        if not source.name.lower().startswith(("changelog", "news", "changes", "history")):
            continue
        if not source.is_file() or source.is_symlink():
            continue
        content = source.read_bytes()
        if source.suffix == ".gz":
            content = gzip.decompress(content)
        for entry in ENTRY.split(content.decode("utf-8", errors="replace")):
            if entry and (text := entry.strip()):
                packages.append(source.parent.name)
                texts.append(text)
    pq.write_table(pa.table({"package": packages, "text": texts}), path)
    return len(texts), sum(len(text.encode()) for text in texts)


def measure(corpus: Path, output: Path, options: tuple[str, ...]) -> tuple[list[float], int, int]:
    """Seconds of each run of the whole command, its peak memory in bytes, and the rows removed."""
    command = [sys.executable, "-m", "mithril", "dedup", str(corpus), "--output", str(output)]
    seconds, memory = [], 0
    for _ in range(RUNS):
        start = time.perf_counter()
        child = subprocess.Popen([*command, "--overwrite", "--quiet", *options])
        _, status, usage = os.wait4(child.pid, 0)
        seconds.append(time.perf_counter() - start)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"the command failed with {child.returncode}")
        memory = max(memory, usage.ru_maxrss * 1024)
    report = json.loads((output / "report.json").read_text())
    return seconds, memory, report["removed"]


def processor() -> str:
    """Return the name of the processor, as far as it is known."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor()


if __name__ == "__main__":
    main()
