"""Mithril and other packages on their way from a column of texts to the rows that are kept."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from peers import BANDS, BATCH, NGRAM, PERMUTATIONS, SEED, THRESHOLD, daft_signatures, installed
from peers import word_shingles as shingles

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    Mask = Sequence[bool] | npt.NDArray[np.bool_]
    Keeper = Callable[[pa.Array], Mask]


def keepers(threads: int) -> Iterator[tuple[str, Keeper]]:
    """Yield the name of each way, and the function from a column to the rows that are kept."""
    yield "mithril", partial(by_mithril, threads=threads, shingle="auto")
    yield "mithril, by white space", partial(by_mithril, threads=threads, shingle="whitespace")
    if rensa := installed("rensa"):
        yield "rensa", partial(by_rensa, rensa, bands=None)
        yield f"rensa, {BANDS} bands", partial(by_rensa, rensa, bands=BANDS)
    if gaoya := installed("gaoya"):
        yield "gaoya", partial(by_gaoya, gaoya)
        yield "gaoya, in bulk", partial(by_gaoya_in_bulk, gaoya)
    if daft := installed("daft"):
        yield "Daft", partial(by_daft, daft)
    if fast := installed("FastSketchLSH"):
        yield "FastSketchLSH", partial(by_fast_sketch, fast, threads=threads)


def by_mithril(column: pa.Array, threads: int, shingle: Any) -> Mask:  # noqa: ANN401
    """Deduplicate with Mithril."""
    result = mithril.deduplicate(
        column, threshold=THRESHOLD, ngram=NGRAM, shingle=shingle, threads=threads
    )
    return result.keep


def by_rensa(rensa: Any, column: pa.Array, bands: int | None) -> Mask:  # noqa: ANN401
    """Deduplicate with rensa's deduplicator; `bands` are its own choice where None."""
    deduplicator = rensa.RMinHashDeduplicator(THRESHOLD, PERMUTATIONS, True, num_bands=bands)
    texts = enumerate(column.to_pylist())
    keep: list[bool] = deduplicator.add_pairs((str(row), shingles(text)) for row, text in texts)
    return keep


def gaoya_index(gaoya: Any) -> Any:  # noqa: ANN401
    """Return an empty index that cuts texts in Rust."""
    return gaoya.minhash.MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=BANDS,
        band_size=PERMUTATIONS // BANDS,
        analyzer="word",
        lowercase=True,
        ngram_range=(NGRAM, NGRAM),
        id_container="smallvec",
    )


def by_gaoya(gaoya: Any, column: pa.Array) -> Mask:  # noqa: ANN401
    """Look each text up in gaoya's index of those kept before it."""
    index = gaoya_index(gaoya)
    keep: list[bool] = []
    for row, text in enumerate(column.to_pylist()):
        keep.append(not index.query(text))
        if keep[-1]:
            index.insert_document(row, text)
    return keep


def by_gaoya_in_bulk(gaoya: Any, column: pa.Array) -> Mask:  # noqa: ANN401
    """Look all texts up in gaoya's index of all texts, with its threads."""
    index = gaoya_index(gaoya)
    texts = column.to_pylist()
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    keep: list[bool] = []
    for row, alike in enumerate(index.par_bulk_query(texts)):
        keep.append(not any(other < row and keep[other] for other in alike))
    return keep


def by_daft(daft: Any, column: pa.Array) -> Mask:  # noqa: ANN401
    """Take Daft's signatures, and look at those that share a band."""
    signatures = daft_signatures(daft, column)
    return by_bands(signatures, sharing_a_band(signatures))


def by_fast_sketch(fast: Any, column: pa.Array, threads: int) -> Mask:  # noqa: ANN401
    """Let FastSketchLSH flag the rows that share a band, and look at the signatures of these."""
    sketcher = fast.FastSimilaritySketch(PERMUTATIONS)
    texts = column.to_pylist()
    parts = [
        sketcher.batch([shingles(text) for text in texts[at : at + BATCH]], num_threads=threads)
        for at in range(0, len(texts), BATCH)
    ]
    signatures = np.concatenate(parts)
    index = fast.LSH(PERMUTATIONS, BANDS, num_threads=threads)
    return by_bands(signatures, index.insert_and_query_duplicates(signatures).astype(np.bool_))


def bands_of(signatures: npt.NDArray[Any]) -> list[npt.NDArray[np.uint64]]:
    """Return for each band a hash of 64 bits for each row."""
    width = PERMUTATIONS // BANDS
    factors = np.random.default_rng(SEED).integers(0, 2**63, width, dtype=np.uint64) * 2 + 1
    starts = range(0, PERMUTATIONS, width)
    return [signatures[:, at : at + width].astype(np.uint64) @ factors for at in starts]


def sharing_a_band(signatures: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return for each row whether another has the same band."""
    sharing = np.zeros(len(signatures), dtype=np.bool_)
    for band in bands_of(signatures):
        order = np.argsort(band)
        equal = band[order[1:]] == band[order[:-1]]
        sharing[order[1:][equal]] = True
        sharing[order[:-1][equal]] = True
    return sharing


def by_bands(signatures: npt.NDArray[Any], among: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep each row whose signature is like none of those kept before it that share a band.

    Only the rows `among` are looked at, and the others kept. Of equal signatures only the first
    is looked at: what it is like, the others are like as well.
    """
    rows = np.flatnonzero(among)
    bands = bands_of(signatures[rows])
    keep = ~among
    whole = np.sum([hashes * np.uint64(2 * at + 1) for at, hashes in enumerate(bands)], axis=0)
    _, first = np.unique(whole, return_index=True)
    first.sort()
    rows, bands = rows[first], [hashes[first] for hashes in bands]
    buckets: list[dict[int, list[int]]] = [{} for _ in bands]
    least = THRESHOLD * PERMUTATIONS
    keys_of_rows = zip(*(band.tolist() for band in bands), strict=True)
    for row, keys in zip(rows.tolist(), keys_of_rows, strict=True):
        candidates: set[int] = set()
        for bucket, key in zip(buckets, keys, strict=True):
            candidates.update(bucket.get(key, ()))
        if candidates:
            equal = signatures[list(candidates)] == signatures[row]
            if (np.count_nonzero(equal, axis=1) >= least).any():
                continue
        keep[row] = True
        for bucket, key in zip(buckets, keys, strict=True):
            bucket.setdefault(key, []).append(row)
    return keep
