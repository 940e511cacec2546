"""Deduplicate Parquet files with gaoya, in bulk: ``gaoya_command.py INPUT OUTPUT``."""

import sys
from pathlib import Path

import gaoya
import pyarrow as pa
import pyarrow.parquet as pq
from keepers import by_gaoya_in_bulk


def main(source: str, target: str) -> None:
    """Write the rows of `source` that stay to `target`."""
    table = pq.read_table(source)
    keep = by_gaoya_in_bulk(gaoya, table["text"])
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.filter(pa.array(keep)), target, compression="zstd")


if __name__ == "__main__":
    main(*sys.argv[1:])
