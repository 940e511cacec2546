"""Mithril and other packages at hashing and compression."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import sys
import sysconfig
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import ml_dtypes
import numpy as np
import pyarrow as pa

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEERS = ("xxhash", "blake3", "zstandard", "lz4", "cramjam", "blosc2", "zipnn")
COLUMN_ROWS = 100_000


@dataclass(frozen=True)
class Case:
    """One piece of work, and who does it; Mithril comes first."""

    name: str
    work: int
    """Bytes, or rows."""
    goal: float
    """How many times as fast as each peer Mithril is to be."""
    runs: dict[str, Callable[[], object]]
    has_size: bool = False


def peer(name: str) -> Any:  # noqa: ANN401 - the packages have no types
    """Import a package, or return None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def zipnn() -> Any:  # noqa: ANN401 - it has no types
    """Import ZipNN. It asks for torch, of gigabytes, and uses it for torch's tensors alone."""
    try:
        importlib.import_module("torch")
    except ImportError:
        for missing in ("torch", "safetensors", "safetensors.torch"):
            sys.modules[missing] = mock.MagicMock()
    found = peer("zipnn")
    for missing in ("torch", "safetensors", "safetensors.torch"):
        if isinstance(sys.modules.get(missing), mock.MagicMock):
            del sys.modules[missing]
    return found


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {"mithril": mithril.__version__}
    for name in (*PEERS, "numpy", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def hashes(size: int) -> Iterator[Case]:
    """Hash one large buffer."""
    data = np.random.default_rng(1).integers(0, 256, size, "uint8").tobytes()
    runs: dict[str, dict[str, Callable[[], object]]] = {
        name: {"mithril": partial(mithril.HashFunction(name).hash, data)}
        for name in ("xxh64", "xxh3_64", "xxh3_128", "blake3", "sha256")
    }
    if xxhash := peer("xxhash"):
        runs["xxh64"]["xxhash"] = lambda: xxhash.xxh64_digest(data)
        runs["xxh3_64"]["xxhash"] = lambda: xxhash.xxh3_64_digest(data)
        runs["xxh3_128"]["xxhash"] = lambda: xxhash.xxh3_128_digest(data)
    if blake3 := peer("blake3"):
        every = blake3.blake3.AUTO
        runs["blake3"]["blake3"] = lambda: blake3.blake3(data, max_threads=every).digest()
    runs["sha256"]["hashlib"] = lambda: hashlib.sha256(data).digest()
    for name, contenders in runs.items():
        outcomes = {run() for run in contenders.values()}
        if len(outcomes) != 1:
            raise AssertionError(f"the packages differ about {name}")
        yield Case(name, size, 1, contenders)


def codecs(size: int) -> Iterator[Case]:
    """Compress and decompress one large text."""
    text = source_text(size)
    zstd, lz4 = mithril.ZstdCompressor(checksum=False), mithril.Lz4Compressor(checksum=False)
    frames = {"zstd": bytes(zstd.compress(text)), "lz4": bytes(lz4.compress(text))}
    pack: dict[str, dict[str, Callable[[], object]]] = {
        "zstd 3": {"mithril": lambda: zstd.compress(text)},
        "lz4": {"mithril": lambda: lz4.compress(text)},
    }
    unpack: dict[str, dict[str, Callable[[], object]]] = {
        "zstd 3": {"mithril": lambda: zstd.decompress(frames["zstd"])},
        "lz4": {"mithril": lambda: lz4.decompress(frames["lz4"])},
    }
    if zstandard := peer("zstandard"):
        writer, reader = zstandard.ZstdCompressor(3), zstandard.ZstdDecompressor()
        pack["zstd 3"]["zstandard"] = lambda: writer.compress(text)
        unpack["zstd 3"]["zstandard"] = lambda: reader.decompress(frames["zstd"])
    if cramjam := peer("cramjam"):
        pack["zstd 3"]["cramjam"] = lambda: cramjam.zstd.compress(text, level=3)
        unpack["zstd 3"]["cramjam"] = lambda: cramjam.zstd.decompress(frames["zstd"])
        pack["lz4"]["cramjam"] = lambda: cramjam.lz4.compress(text)
        unpack["lz4"]["cramjam"] = lambda: cramjam.lz4.decompress(frames["lz4"])
    if frame := peer("lz4.frame"):
        pack["lz4"]["lz4"] = lambda: frame.compress(text)
        unpack["lz4"]["lz4"] = lambda: frame.decompress(frames["lz4"])
    for name, contenders in pack.items():
        yield Case(f"{name}, compress", size, 1, contenders, has_size=True)
    for name, contenders in unpack.items():
        yield Case(f"{name}, decompress", size, 1, contenders)


def columns(size: int) -> Iterator[Case]:
    """Hash, and compress one by one, the rows of a column of short strings."""
    del size
    draw = np.random.default_rng(2)
    texts = [
        f"{key:x}"[: 4 + key % 28] * 2 for key in draw.integers(1, 2**62, COLUMN_ROWS).tolist()
    ]
    column = pa.array(texts)
    loops: dict[str, dict[str, Callable[[], object]]] = {
        name: {
            "mithril": lambda name=name: mithril.hash_column(column, name),  # type: ignore[misc]
            "mithril, of a list": lambda name=name: mithril.hash_column(texts, name),  # type: ignore[misc]
        }
        for name in ("xxh64", "xxh3_64", "blake3", "sha256")
    }
    if xxhash := peer("xxhash"):
        loops["xxh64"]["xxhash"] = lambda: [xxhash.xxh64_intdigest(text.encode()) for text in texts]
        loops["xxh3_64"]["xxhash"] = lambda: [
            xxhash.xxh3_64_intdigest(text.encode()) for text in texts
        ]
    if blake3 := peer("blake3"):
        loops["blake3"]["blake3"] = lambda: [
            blake3.blake3(text.encode()).digest() for text in texts
        ]
    loops["sha256"]["hashlib"] = lambda: [hashlib.sha256(text.encode()).digest() for text in texts]
    for name, contenders in loops.items():
        yield Case(f"{name} of a column", COLUMN_ROWS, 10, contenders)
    rows = [text.encode() for text in texts]
    zstd, lz4 = mithril.ZstdCompressor(checksum=False), mithril.Lz4Compressor(checksum=False)
    many: dict[str, dict[str, Callable[[], object]]] = {
        "zstd 3": {"mithril": lambda: zstd.compress_many(rows)},
        "lz4": {"mithril": lambda: lz4.compress_many(rows)},
    }
    if zstandard := peer("zstandard"):
        writer = zstandard.ZstdCompressor(3)
        many["zstd 3"]["zstandard"] = lambda: [writer.compress(row) for row in rows]
    if frame := peer("lz4.frame"):
        many["lz4"]["lz4"] = lambda: [frame.compress(row) for row in rows]
    if cramjam := peer("cramjam"):
        many["zstd 3"]["cramjam"] = lambda: [cramjam.zstd.compress(row, level=3) for row in rows]
        many["lz4"]["cramjam"] = lambda: [cramjam.lz4.compress(row) for row in rows]
    for name, contenders in many.items():
        yield Case(f"{name} of each row", COLUMN_ROWS, 10, contenders)


def arrays(size: int) -> Iterator[Case]:
    """Compress weights, as layers of a network have them."""
    draw = np.random.default_rng(3)
    layers = [
        draw.standard_normal(1 << 20, "float32") * np.float32(0.01 + 0.02 * layer)
        for layer in range(max(1, size // 2 >> 20))
    ]
    whole = np.concatenate(layers)
    weights = {
        "bfloat16": whole[: size // 2].astype(ml_dtypes.bfloat16),
        "float32": whole[: size // 4],
    }
    for name, array in weights.items():
        data = mithril.compress_array(array)
        pack: dict[str, Callable[[], object]] = {
            "mithril": lambda array=array: mithril.compress_array(array)  # type: ignore[misc]
        }
        unpack: dict[str, Callable[[], object]] = {
            "mithril": lambda data=data: mithril.decompress_array(data)  # type: ignore[misc]
        }
        for other, (compress, decompress) in array_peers(array, name):
            packed = compress()
            pack[other] = compress
            unpack[other] = lambda packed=packed, of=decompress: of(packed)  # type: ignore[misc]
        yield Case(f"{name}, compress", array.nbytes, 1, pack, has_size=True)
        yield Case(f"{name}, decompress", array.nbytes, 0, unpack)


def array_peers(array: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield packages with their functions in both directions."""
    raw = array.tobytes()
    if module := zipnn():
        machine = module.ZipNN(input_format="byte", bytearray_dtype=name)
        # It works in its input, which must be one that it may write to.
        yield "ZipNN", (lambda: machine.compress(bytearray(raw)), machine.decompress)
    if blosc2 := peer("blosc2"):
        plain = np.frombuffer(raw, f"uint{8 * array.itemsize}")
        for label, codec, level in (
            ("blosc2, zstd 1", blosc2.Codec.ZSTD, 1),
            ("blosc2, lz4 5", blosc2.Codec.LZ4, 5),
        ):
            settings = {"codec": codec, "clevel": level, "filters": [blosc2.Filter.SHUFFLE]}

            def compress(settings: Any = settings) -> Any:  # noqa: ANN401
                return blosc2.compress2(plain, typesize=plain.itemsize, **settings)

            yield label, (compress, blosc2.decompress2)


def source_text(size: int) -> bytes:
    """Return the source files of the standard library, over again until there are enough."""
    folder = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in sorted(folder.rglob("*.py")) if "site-packages" not in path.parts]
    whole = b"".join(path.read_bytes() for path in paths)
    return (whole * (size // len(whole) + 1))[:size]


PARTS: dict[str, Callable[[int], Iterator[Case]]] = {
    "hashes": hashes,
    "codecs": codecs,
    "columns": columns,
    "arrays": arrays,
}
