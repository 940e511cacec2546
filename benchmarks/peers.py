"""Mithril and other packages at the same work, each in the fastest way that it offers."""

from __future__ import annotations

import importlib
import importlib.metadata
import itertools
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

PEERS = ("rensa", "datasketch", "gaoya", "daft", "FastSketchLSH")
PERMUTATIONS = 128
NGRAM = 5
THRESHOLD = 0.8
BANDS = 16
SEED = 42
MODES = {"mithril": "auto", "mithril, by white space": "whitespace"}
# Documents whose shingles are strings of Python at one time.
BATCH = 500
# datasketch gets a part of the documents, since it needs long for them.
DATASKETCH_TOKENS = 200_000
DATASKETCH_BYTES = 2_000_000


@dataclass(frozen=True)
class Contender:
    """A package at a piece of work."""

    name: str
    run: Callable[[], object]
    work: int
    """How many tokens, bytes or rows a run takes."""


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {"mithril": mithril.__version__}
    for name in (*PEERS, "numpy", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def installed(name: str) -> Any:  # noqa: ANN401 - the packages have no types
    """Import a package, or return None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def for_tokens(
    tokens: npt.NDArray[np.uint64], offsets: npt.NDArray[np.uint64], threads: int
) -> Iterator[Contender]:
    """Yield the contenders that take hashes of tokens to signatures."""
    work = len(tokens)
    hasher = mithril.MinHasher(PERMUTATIONS)
    yield Contender("mithril", lambda: hasher.hash_tokens(tokens, offsets, threads=threads), work)
    if rensa := installed("rensa"):
        digest = rensa.RMinHash.digest_matrix_from_flat_token_hashes
        yield Contender("rensa", lambda: digest(tokens, offsets, PERMUTATIONS, SEED), work)
    if fast := installed("FastSketchLSH"):
        sketch = fast.FastSimilaritySketch(PERMUTATIONS).batch_csr
        yield Contender(
            "FastSketchLSH",
            lambda: sketch(tokens, offsets, prehashed=True, num_threads=threads),
            work,
        )
    if datasketch := installed("datasketch"):
        documents = max(1, int(np.searchsorted(offsets, DATASKETCH_TOKENS, side="right")) - 1)
        bounds = offsets[: documents + 1].tolist()

        def bulk() -> object:
            values = (tokens[: bounds[-1]] >> np.uint64(32)).tolist()
            rows = (values[at:to] for at, to in itertools.pairwise(bounds))
            return datasketch.MinHash.bulk(rows, num_perm=PERMUTATIONS, hashfunc=int)

        yield Contender("datasketch", bulk, bounds[-1])


def word_shingles(text: str) -> list[str]:
    """Return the runs of `NGRAM` words between white space, or all words where they are fewer."""
    words = text.lower().split()
    if len(words) < NGRAM:
        return [" ".join(words)]
    return list(map(" ".join, zip(*(words[at:] for at in range(NGRAM)), strict=False)))


def character_shingles(text: str) -> list[str]:
    """Return the runs of `NGRAM` characters other than white space."""
    line = "".join(text.lower().split())
    return [line[at : at + NGRAM] for at in range(max(1, len(line) - NGRAM + 1))]


def for_column(column: pa.Array, size: int, threads: int, *, cjk: bool) -> Iterator[Contender]:
    """Yield the contenders that take a column of texts, `size` bytes, to signatures."""
    shingles = character_shingles if cjk else word_shingles
    hasher = mithril.MinHasher(PERMUTATIONS)
    modes: dict[str, Any] = {"mithril": "auto"} if cjk else MODES
    for name, shingle in modes.items():
        hash_column = partial(
            hasher.hash_column, column, shingle=shingle, ngram=NGRAM, threads=threads
        )
        yield Contender(name, hash_column, size)

    def in_batches(digest: Callable[[list[list[str]]], object]) -> list[object]:
        texts = column.to_pylist()
        batches = (texts[at : at + BATCH] for at in range(0, len(texts), BATCH))
        return [digest([shingles(text) for text in batch]) for batch in batches]

    if rensa := installed("rensa"):
        matrix = rensa.RMinHash.digest_matrix_from_token_sets
        yield Contender(
            "rensa", lambda: in_batches(lambda sets: matrix(sets, PERMUTATIONS, SEED)), size
        )
    if fast := installed("FastSketchLSH"):
        sketch = partial(fast.FastSimilaritySketch(PERMUTATIONS).batch, num_threads=threads)
        yield Contender("FastSketchLSH", lambda: in_batches(sketch), size)
    if daft := installed("daft"):
        yield Contender("Daft", lambda: daft_signatures(daft, column), size)
    if datasketch := installed("datasketch"):
        ends = np.cumsum([len(text.encode()) for text in column.to_pylist()])
        documents = int(np.searchsorted(ends, DATASKETCH_BYTES)) + 1
        part = column.slice(0, documents)

        def bulk() -> object:
            rows = ([s.encode() for s in shingles(text)] for text in part.to_pylist())
            return datasketch.MinHash.bulk(rows, num_perm=PERMUTATIONS, hashfunc=zlib.crc32)

        yield Contender("datasketch", bulk, int(ends[len(part) - 1]))


def daft_signatures(daft: Any, column: pa.Array) -> npt.NDArray[np.uint32]:  # noqa: ANN401
    """Return the signatures of Daft, whose n-grams are of what stands between single spaces."""
    functions = importlib.import_module("daft.functions")
    frame = daft.from_arrow(pa.table({"text": column}))
    text = functions.normalize(frame["text"], lowercase=True, white_space=True)
    signature = functions.minhash(
        text, num_hashes=PERMUTATIONS, ngram_size=NGRAM, seed=SEED, hash_function="xxhash3_64"
    )
    table = frame.select(signature.alias("signature")).to_arrow()
    values = table["signature"].combine_chunks().flatten()
    signatures: npt.NDArray[np.uint32] = values.to_numpy().reshape(-1, PERMUTATIONS)
    return signatures
