"""Measure what deduplication on a cluster costs a document: processor time, and bytes moved.

Run it with ``make bench-cluster``: a cluster of Ray on this machine, with a worker for each
processor. Documents are made of paragraphs of this machine's changelogs and Python files, 2.5 kB
each; 15 % are copies of another, and 15 % copies with a few words changed.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray

import mithril
import mithril.ray

DOCUMENT_BYTES = 2_500
COPIES = 0.15
NEAR = 0.15
FILE_ROWS = 12_500


def paragraphs() -> list[str]:
    """Read what documents are made of."""
    files = [*Path(sysconfig.get_path("stdlib")).rglob("*.py")]
    texts = [file.read_text(encoding="utf-8", errors="ignore") for file in sorted(files)]
    logs = sorted(Path("/usr/share/doc").glob("*/changelog*.gz"))
    texts += [gzip.decompress(log.read_bytes()).decode("utf-8", errors="ignore") for log in logs]
    return [part for text in texts for part in text.split("\n\n") if len(part) > len("a sentence")]


def document(draw: random.Random, parts: list[str], made: list[str]) -> str:
    """Make one document: a new one, or one like another."""
    kind = draw.random()
    if made and kind < COPIES:
        return draw.choice(made)
    if made and kind < COPIES + NEAR:
        words = draw.choice(made).split(" ")
        for _ in range(draw.randint(1, 5)):
            words[draw.randrange(len(words))] = f"changed{draw.randrange(10**9)}"
        return " ".join(words)
    text: list[str] = []
    while sum(map(len, text)) < DOCUMENT_BYTES:
        text.append(draw.choice(parts)[:DOCUMENT_BYTES])
    return "\n\n".join(text)


def write(folder: Path, rows: int) -> None:
    """Write the documents, some thousands a file."""
    draw = random.Random(7)  # noqa: S311 - the same every time
    parts = paragraphs()
    # Others are copied for as long as they are at hand.
    made: list[str] = []
    for start in range(0, rows, FILE_ROWS):
        texts = []
        for _ in range(min(FILE_ROWS, rows - start)):
            texts.append(document(draw, parts, made))
            if draw.random() < COPIES:
                made.append(texts[-1])
        pq.write_table(pa.table({"text": texts}), folder / f"{start:09}.parquet")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write(arguments.write, arguments.rows)
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "input"
        folder.mkdir()
        # By another process, whose memory is not counted.
        size = ["--rows", str(arguments.rows)]
        subprocess.run([sys.executable, __file__, "--write", str(folder), *size], check=True)
        ray.init(
            address="local",
            _node_ip_address="127.0.0.1",
            include_dashboard=False,
            object_store_memory=4 << 30,
            log_to_driver=False,
        )
        start = time.perf_counter()
        result = mithril.ray.deduplicate(folder, settings={"groups": arguments.groups})
        taken = time.perf_counter() - start
        report = result.report
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ray.shutdown()
        start = time.perf_counter()
        engine = mithril.dedup_files(folder, Path(name) / "clean")
        at_once = time.perf_counter() - start
    rows = report.documents
    print(
        f"{rows:,} documents of {report.bytes / rows:,.0f} bytes in {report.blocks} files and"
        f" {report.groups} groups: {taken:.1f} s, {rows / taken:,.0f} a second, by"
        f" {len(report.processes)} processes"
    )
    print(f"on one machine, writing the rows that stay too: {at_once:.1f} s")
    print(
        f"removed {report.removed:,} ({engine.removed:,}), {report.exact_duplicates:,} of them"
        f" copies; {report.compared_pairs:,} pairs compared, {report.verified_pairs:,} alike;"
        f" {report.rounds} rounds"
    )
    print("| stage | µs of a processor | bytes left for others | seconds waited |")
    print("|---|---:|---:|---:|")
    for stage, seconds in report.seconds.items():
        cpu, moved = report.cpu_seconds.get(stage, seconds), report.moved.get(stage, 0)
        print(f"| {stage} | {cpu / rows * 1e6:.2f} | {moved / rows:.1f} | {seconds:.2f} |")
    cpu = sum(report.cpu_seconds.values()) / rows * 1e6
    print(f"| all | {cpu:.2f} | | {taken:.2f} |")
    print(f"of sign, digests: {report.moved['digests'] / rows:.1f} bytes, bands:", end=" ")
    print(f"{report.moved['bands'] / rows:.1f}")
    print(f"most memory of the driver: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
