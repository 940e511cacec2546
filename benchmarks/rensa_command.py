"""Deduplicate the texts of a Parquet file with rensa: ``rensa_command.py INPUT OUTPUT``."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import rensa

NGRAM = 5


def shingles(text: str) -> list[str]:
    """Return the runs of `NGRAM` words between white space, or all words where they are fewer."""
    words = text.lower().split()
    if len(words) < NGRAM:
        return [" ".join(words)]
    return list(map(" ".join, zip(*(words[at:] for at in range(NGRAM)), strict=False)))


def main(source: str, target: str) -> None:
    """Write the rows of `source` that stay to `target`."""
    table = pq.read_table(source)
    deduplicator = rensa.RMinHashDeduplicator(0.8, 128, True)
    texts = enumerate(table["text"].to_pylist())
    keep = deduplicator.add_pairs((str(row), shingles(text)) for row, text in texts)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.filter(pa.array(keep)), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
