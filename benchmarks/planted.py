"""Rows of real sentences, any number of them, with near-duplicates that are known.

A row is six sentences of the changelogs of this machine, drawn at random: about 400 bytes. One row
in ten is made from an earlier one, in a way that the column ``kind`` names; ``source`` is the row
that it is made from. So the rows that have to go, and those that look alike and have to stay, are
known however many there are.

Run it with ``python benchmarks/planted.py FOLDER ROWS``.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bench_dedup import write_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

SENTENCES = 6
ROWS_PER_FILE = 250_000
ROWS_PER_GROUP = 50_000
SENTENCE = re.compile(r"[^\n*]{50,130}")
KINDS = ("own", "copy", "word more", "words less", "two sentences others", "fourth word other")
"""How a row was made. Of two that differ by ``word more`` or ``words less``, the Jaccard similarity
is above 0.9; with ``two sentences others`` it is about 0.5; with ``fourth word other``, which is
made of rows of `MANY_WORDS` alone and of others ``word more``, it is about 0.85."""
SHARES = (0.9, 0.02, 0.04, 0.02, 0.02, 0.0)
NEARER_SHARES = (0.88, 0.02, 0.04, 0.02, 0.02, 0.02)
MANY_WORDS = 50


def sentences(folder: Path) -> pa.Array:
    """Return the distinct sentences of the changelogs of this machine."""
    corpus = folder / "entries.parquet"
    if not corpus.exists():
        write_corpus(corpus)
    entries = pq.read_table(corpus, columns=["text"])["text"].to_pylist()
    found = itertools.chain.from_iterable(SENTENCE.findall(entry) for entry in entries)
    pool = list(dict.fromkeys(" ".join(text.split()) for text in found))
    if not pool:
        sys.exit("no changelogs under /usr/share/doc: there is no text to make rows of")
    return pa.array(pool, pa.string())


def drawn(file: int, count: int, pool: int) -> npt.NDArray[np.int64]:
    """Return the sentences of the rows of a file; shape (count, SENTENCES)."""
    return np.random.default_rng((7, file)).integers(0, pool, (count, SENTENCES))


def kinds_of(file: int, count: int, shares: Sequence[float]) -> npt.NDArray[np.int64]:
    """Return how the rows of a file are made, as places in `KINDS`; shape (count,)."""
    kinds = np.random.default_rng((11, file)).choice(len(KINDS), count, p=shares)
    kinds[0] = 0
    return kinds


def table(file: int, count: int, pool: pa.Array, shares: Sequence[float]) -> pa.Table:
    """Return the rows of a file; sources are in it, or in a file before."""
    own, kinds = drawn(file, count, len(pool)), kinds_of(file, count, shares)
    before, kinds_before = own[:0], kinds[:0]
    if file:
        before = drawn(file - 1, ROWS_PER_FILE, len(pool))
        kinds_before = kinds_of(file - 1, ROWS_PER_FILE, shares)
    # Sources are rows of their own, of this file or of the one before.
    places = np.arange(len(before) + count)
    is_own = np.concatenate([kinds_before, kinds]) == 0
    last_own = np.maximum.accumulate(np.where(is_own, places, 0))
    draw = np.random.default_rng((13, file))
    chosen = (draw.random(count) * places[len(before) :]).astype(np.int64)
    sources = np.where(kinds == 0, places[len(before) :], last_own[chosen])
    taken = np.concatenate([before, own])[sources]
    first = file * ROWS_PER_FILE
    others = kinds == KINDS.index("two sentences others")
    taken[others, :2] = draw.integers(0, len(pool), (int(others.sum()), 2))
    parts = [pc.take(pool, pa.array(taken[:, column])) for column in range(SENTENCES)]
    texts = pc.binary_join_element_wise(*parts, " ")
    words = pc.add(pc.count_substring(texts, " "), 1).to_numpy(zero_copy_only=False)
    other_word = kinds == KINDS.index("fourth word other")
    kinds[other_word & (words < MANY_WORDS)] = KINDS.index("word more")
    other_word &= words >= MANY_WORDS
    other = pc.replace_substring_regex(texts, r"^(\S+ \S+ \S+) \S+", r"\1 indeed")
    texts = pc.if_else(pa.array(other_word), other, texts)
    more = pc.binary_join_element_wise(texts, pa.scalar("indeed"), " ")
    texts = pc.if_else(pa.array(kinds == KINDS.index("word more")), more, texts)
    less = pc.replace_substring_regex(texts, r"^\S+ \S+ ", "")
    texts = pc.if_else(pa.array(kinds == KINDS.index("words less")), less, texts)
    return pa.table(
        {
            "id": pa.array(first + np.arange(count)),
            "text": texts,
            "kind": pa.array(kinds).cast(pa.int8()),
            "source": pa.array(first - len(before) + sources),
        }
    )


def write(folder: Path, rows: int, shares: Sequence[float] = SHARES) -> Path:
    """Write so many rows, unless they are there; returns the folder of the files."""
    target = folder / f"{'rows' if shares == SHARES else 'nearer'}-{rows}"
    if (target / "_SUCCESS").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    pool = sentences(folder)
    for file, start in enumerate(range(0, rows, ROWS_PER_FILE)):
        made = table(file, min(ROWS_PER_FILE, rows - start), pool, shares)
        pq.write_table(
            made, target / f"{file:05}.parquet", compression="zstd", row_group_size=ROWS_PER_GROUP
        )
    (target / "_SUCCESS").touch()
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(write(arguments.folder, arguments.rows))
