"""One part of bench_minhash.py in a process of its own; prints what it measured as JSON.

``contest.py PART FOLDER THREADS SIZES``: the variables that set the numbers of threads, and the
processors that may be used, are set before this process starts.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from corpora import COLUMNS, read, text_bytes
from keepers import keepers
from peers import Contender, for_column, for_tokens, installed
from quality import Truth, words_of_unicode, words_of_white_space

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKENS = (10, 30, 100, 300, 1000, 3000, 10_000, 100_000)
MOST_DOCUMENTS = 200_000
FLAT_LENGTHS = (1000, 10_000, 100_000, 1_000_000, 10_000_000)
FLAT_COUNTS = (10_000, 100_000, 500_000, 2_000_000)
FLAT_DOCUMENT_BYTES = 400


def race(part: str, case: str, contenders: Iterable[Contender], repetitions: int) -> list[Any]:
    """Let each contender run once for nothing, and then all of them in turns."""
    running = list(contenders)
    seconds: dict[str, list[float]] = {contender.name: [] for contender in running}
    for repetition in range(repetitions + 1):
        for contender in running.copy():
            gc.collect()
            start = time.perf_counter()
            try:
                contender.run()
            except Exception as error:  # noqa: BLE001 - whatever another package raises
                print(f"{contender.name} failed at {part}, {case}: {error}", file=sys.stderr)
                running.remove(contender)
                continue
            if repetition:
                seconds[contender.name].append(time.perf_counter() - start)
    return [
        {
            "part": part,
            "case": case,
            "contender": contender.name,
            "work": contender.work,
            "seconds": seconds[contender.name],
        }
        for contender in running
    ]


def tokens_part(folder: Path, threads: int, sizes: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Take tokens that are hashed already to signatures."""
    del folder
    draw = np.random.default_rng(1)
    for length in TOKENS:
        documents = min(MOST_DOCUMENTS, max(1, sizes["tokens"] // length))
        tokens = draw.integers(0, 2**64, documents * length, dtype=np.uint64)
        offsets = np.arange(documents + 1, dtype=np.uint64) * np.uint64(length)
        contenders = for_tokens(tokens, offsets, threads)
        yield from race("tokens", f"{length:,}", contenders, sizes["repetitions"])


def column_part(folder: Path, threads: int, sizes: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Take texts to signatures."""
    for name in COLUMNS:
        column = read(folder / f"{name}.parquet")
        if not len(column):
            continue
        size = text_bytes(column)
        contenders = for_column(column, size, threads, cjk=name == "CJK")
        for row in race("column", name, contenders, sizes["repetitions"]):
            yield row | {"documents": len(column), "bytes": size}


def keep_part(folder: Path, threads: int, sizes: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Take texts to the rows that stay, and one Parquet file to another."""
    column = read(folder / "keep.parquet")
    size = text_bytes(column)
    ways = dict(keepers(threads))
    runs = [Contender(name, partial(way, column), len(column)) for name, way in ways.items()]
    sample = column.slice(0, sizes["sample"])
    texts = sample.to_pylist()
    truths = {"words": words_of_unicode, "white_space": words_of_white_space}
    judges = {name: Truth.of(texts, cut).judge for name, cut in truths.items() if texts}
    for row in race("keep", "in one process", runs, sizes["repetitions"]):
        verdicts: dict[str, Any] = {}
        if judges:
            keep = ways[row["contender"]](sample)
            verdicts = {name: judge(keep) for name, judge in judges.items()}
        yield row | {"bytes": size, "sample": len(sample)} | verdicts
    runs = list(commands(folder, threads, len(column)))
    for row in race("keep", "whole commands", runs, sizes["repetitions"]):
        yield row | {"bytes": size}


def commands(folder: Path, threads: int, rows: int) -> Iterator[Contender]:
    """Yield the commands that read one Parquet file and write another."""
    source, output = str(folder / "keep.parquet"), folder / "output"
    ours = [sys.executable, "-m", "mithril", "dedup", source, "--output", str(output)]
    ours += ["--overwrite", "--quiet", "--threads", str(threads)]
    yield Contender("mithril", lambda: subprocess.run(ours, check=True), rows)
    if installed("rensa"):
        script = str(Path(__file__).with_name("rensa_command.py"))
        target = str(folder / "rensa" / "output.parquet")
        theirs = [sys.executable, script, source, target]
        yield Contender("rensa", lambda: subprocess.run(theirs, check=True), rows)


def flat_part(folder: Path, threads: int, sizes: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Take documents of all lengths, and columns of all numbers of documents, to signatures."""
    hasher = mithril.MinHasher(128)

    def contender(column: pa.Array, size: int) -> Contender:
        def run() -> object:
            return hasher.hash_column(column, shingle="auto", ngram=5, threads=threads)

        return Contender("mithril", run, size)

    text = "\n".join(read(folder / "medium.parquet").to_pylist()).encode()
    lengths = [length for length in FLAT_LENGTHS if length <= len(text)]
    size = len(text) // lengths[-1] * lengths[-1]
    for length in lengths:
        bounds = np.arange(0, size + 1, length)
        # A character that a bound would cut in two goes, so that each document is UTF-8.
        documents = [text[at : at + length].decode(errors="ignore") for at in bounds[:-1].tolist()]
        column = pa.array(documents, pa.string())
        runs = [contender(column, text_bytes(column))]
        yield from race("flat", f"{length:,} bytes", runs, sizes["repetitions"])
    entries = cut_to(read(folder / "all-short.parquet").to_pylist(), sizes["flat_documents"])
    for count in (count for count in FLAT_COUNTS if count <= sizes["flat_documents"]):
        column = pa.array((entries * (count // len(entries) + 1))[:count], pa.string())
        runs = [contender(column, text_bytes(column))]
        yield from race("flat", f"{count:,} documents", runs, sizes["repetitions"])


def cut_to(entries: list[str], most: int) -> list[str]:
    """Join entries, and cut what they give into documents of `FLAT_DOCUMENT_BYTES`."""
    text = "\n".join(entries).encode()[: most * FLAT_DOCUMENT_BYTES]
    starts = range(0, len(text) - FLAT_DOCUMENT_BYTES + 1, FLAT_DOCUMENT_BYTES)
    return [text[at : at + FLAT_DOCUMENT_BYTES].decode(errors="ignore") for at in starts]


PARTS = {"tokens": tokens_part, "column": column_part, "keep": keep_part, "flat": flat_part}


def main(part: str, folder: str, threads: str, sizes: str) -> None:
    """Measure one part and print what came out."""
    rows = list(PARTS[part](Path(folder), int(threads), json.loads(sizes)))
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
