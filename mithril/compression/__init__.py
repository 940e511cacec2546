"""Compression: standard zstd and LZ4 frames, a frame that chooses, and arrays.

| compressor | frames | for |
|---|---|---|
| `ZstdCompressor` | those of the command `zstd` | text and JSON; dictionaries for small objects |
| `Lz4Compressor` | those of the command `lz4` | where time counts more than size |
| `AdaptiveCompressor` | its own | tensors, mixed and unknown data |
| `compress_array` | a header, and the adaptive ones | arrays whose type and shape come back |

Data that is not trusted may be decompressed: what it claims is never believed, memory grows as data
really arrives and stops at a limit, and data that is cut, damaged or followed by more is an error.
"""

from mithril.compression.arrays import (
    compress_array,
    compress_array_async,
    decompress_array,
    decompress_array_async,
)
from mithril.compression.compressors import (
    AdaptiveCompressor,
    Compressor,
    Level,
    Lz4Compressor,
    ZstdCompressor,
)
from mithril.compression.file import CompressWriter, DecompressReader

__all__ = [
    "AdaptiveCompressor",
    "CompressWriter",
    "Compressor",
    "DecompressReader",
    "Level",
    "Lz4Compressor",
    "ZstdCompressor",
    "compress_array",
    "compress_array_async",
    "decompress_array",
    "decompress_array_async",
]
