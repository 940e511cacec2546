"""Files that the tests of `dedup_files` read, and what they look at."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROWS = 600


def texts() -> list[str | None]:
    """Rows of which every third copies the one before it, with nulls and an empty one."""
    rows: list[str | None] = [
        f"row {row - (row % 3 == 2)} of a table of many rows" for row in range(ROWS)
    ]
    rows[5] = rows[7] = None
    rows[9] = ""
    return rows


def rich_table() -> pa.Table:
    """A column of nearly every type there is, nulls in all of them."""

    def column(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
        values = list(values)
        values[3] = values[500] = None
        return pa.array(values, kind)

    rows = range(ROWS)
    struct = pa.struct([("a", pa.int16()), ("b", pa.list_(pa.string()))])
    columns = {
        "text": pa.array(texts(), pa.string()),
        "number": column(rows, pa.int64()),
        "small": column((row % 250 for row in rows), pa.uint8()),
        "half": column((row / 2 for row in rows), pa.float32()),
        "flag": column((row % 2 == 0 for row in rows), pa.bool_()),
        "large": column((f"large {row}" for row in rows), pa.large_string()),
        "view": column(
            (f"a view of more than twelve bytes {row}" for row in rows), pa.string_view()
        ),
        "bytes": column((bytes([row % 256, 0, 255]) for row in rows), pa.binary()),
        "fixed": column((row.to_bytes(4, "big") for row in rows), pa.binary(4)),
        "level": column((f"level {row % 4}" for row in rows), pa.string()).dictionary_encode(),
        "when": column(
            (dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=row) for row in rows),
            pa.timestamp("us", tz="Europe/Berlin"),
        ),
        "nanos": column((row * 1_000_000_007 for row in rows), pa.timestamp("ns")),
        "day": column((dt.date(2026, 1, 1) + dt.timedelta(days=row) for row in rows), pa.date32()),
        "span": column((row * 1000 for row in rows), pa.duration("ms")),
        "money": column((decimal.Decimal(row) / 100 for row in rows), pa.decimal128(20, 2)),
        "list": column(([row] * (row % 4) for row in rows), pa.list_(pa.int32())),
        "nested": column(({"a": row, "b": ["x", None]} for row in rows), struct),
        "map": column(([("k", row)] for row in rows), pa.map_(pa.string(), pa.int64())),
        "deep": column(([[{"a": row, "b": []}]] for row in rows), pa.list_(pa.large_list(struct))),
        "nothing": pa.nulls(ROWS),
    }
    schema = pa.schema(
        [
            pa.field(name, values.type, metadata={"note": f"of {name}"} if name == "flag" else None)
            for name, values in columns.items()
        ],
        metadata={"origin": "a test"},
    )
    return pa.table(columns, schema=schema)


def survivors(table: pa.Table, output: Path) -> pa.Table:
    """The rows of the input that the table of duplicates does not name."""
    removed = set(pq.read_table(output / "duplicates.parquet")["row"].to_pylist())
    # Not `filter`: pyarrow has none for string views.
    kept = [table.slice(row, 1) for row in range(len(table)) if row not in removed]
    return pa.concat_tables(kept)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


LINES = [
    '{"text": "the first of some lines", "n": 1.10, "deep": {"a": [1, null]}, "id": "x"}',
    '  {"id":"y","n":12345678901234567890,"text":"another line altogether"}  ',
    '{"text": "the first of some LINES", "id": null}',
    '{"text": "half a pair \\ud83d", "text2": "\\ud83d"}',
    '{"text": "half a pair \\ude00"}',
    '{"text": null, "n": 3}',
    '{"n": 4}',
    '{"text": "ein Stra\\u00dfenname", "text": "the last value of a name counts"}',
]
KEPT = [0, 1, 3, 5, 6, 7]


def compress(content: bytes, suffix: str) -> bytes:
    if suffix.endswith("gz"):
        half = len(content) // 2  # two members in a row, as pigz and cat make them
        return gzip.compress(content[:half]) + gzip.compress(content[half:])
    if suffix.endswith("zst"):
        return bytes(pa.compress(content, codec="zstd", asbytes=True))
    return content


def decompress(content: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read())


def write_samples(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes a tar file of samples: the text of each row as `text`, all as `json`, and bytes."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for number, row in enumerate(rows):
            content = {
                "text": row["text"].encode() if row["text"] is not None else None,
                "json": json.dumps(row).encode(),
                "view.bin": bytes([number % 256, 0, 255]) * number,
            }
            for suffix, data in content.items():
                if data is not None:
                    info = tarfile.TarInfo(f"folder/{number:06}.{suffix}")
                    info.size, info.mtime = len(data), number
                    tar.addfile(info, io.BytesIO(data))
