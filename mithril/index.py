"""An index of documents that grows, shrinks and is saved: what is like this text?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from mithril import _native
from mithril.exceptions import of_kind
from mithril.operation import run
from mithril.options import encode
from mithril.progress import reporting
from mithril.sizes import size_text
from mithril.storage.stores import check_storage
from mithril.summary import as_html, as_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from mithril._native import MinHashIndex as Engine
    from mithril._native import Operation
    from mithril._native import Storage as EngineStorage
    from mithril.dedup import Shingle, UnicodeForm
    from mithril.progress import Progress
    from mithril.storage.base import Storage

    Matches: TypeAlias = tuple[
        npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.float64]
    ]
    StoreLike: TypeAlias = Storage | str | os.PathLike[str]


class IndexMatch(NamedTuple):
    """A document that is like the text asked for."""

    id: int
    """Its id."""
    similarity: float
    """The estimate of the Jaccard similarity of the two shingle sets, 0 to 1."""


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds; ``print`` it for a summary, or let a notebook show it.

    Attributes:
        documents: The documents.
        removed: Documents that have been removed, and still take their bytes: until their segments
            are merged.
        bytes: The bytes that it takes, in memory or mapped from files.
        mapped_bytes: Those of them that are mapped from files.
        bytes_per_document: The bytes for each document; 0 without one.
        segments: The number of segments; a query looks at each.
        bands: The number of bands of a signature.
        rows: The number of values in a band.
        code_bytes: The bytes of a document's code; 0 if there are none.
        largest_bucket: The most documents that share a band.
    """

    documents: int
    removed: int
    bytes: int
    mapped_bytes: int
    bytes_per_document: float
    segments: int
    bands: int
    rows: int
    code_bytes: int
    largest_bucket: int

    def to_dict(self) -> dict[str, int | float]:
        """Return the numbers by name."""
        return asdict(self)

    def __str__(self) -> str:
        """Give a summary for a person."""
        return as_text(self._rows())

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        size = f"{size_text(self.bytes)} ({self.bytes_per_document:,.0f} bytes a document)"
        code = f"codes of {self.code_bytes} bytes" if self.code_bytes else "no codes"
        return [
            ("documents", f"{self.documents:,}"),
            ("removed", f"{self.removed:,} that still take their bytes"),
            ("size", f"{size}, {size_text(self.mapped_bytes)} of it mapped"),
            ("segments", f"{self.segments:,}"),
            ("bands", f"{self.bands} of {self.rows} rows, {code}"),
            ("largest bucket", f"{self.largest_bucket:,}"),
        ]


class MinHashIndex:
    """Finds the documents that are like a text, among documents that come and go.

    A document has an id, and nothing of its text is kept: about 200 bytes with the default
    arguments, 8 for each of 16 bands, 8 for the id and 64 for the code. Two documents are
    candidates when they share a band of their MinHash signatures.

    A match is a candidate whose similarity is estimated at or above the threshold. With codes the
    estimate is unbiased, with a standard error of 0.037 at a similarity of 0.8 (0.030 from 256
    permutations on, 0.027 from 512). Without codes it is ``(m / bands) ** (1 / rows)`` for m equal
    bands, with a standard error of 0.06 there, and worse below. So about half of the documents
    that are exactly at the threshold are estimated below it: to have all that the recall promises,
    ask with a lower threshold, and compare the texts.

    Documents whose text is null, empty or without a shingle are in no bucket: they count, and are
    like nothing.

    An index can be used from several threads at once: whoever searches it sees it as it was when
    the search began. Methods release the GIL, and Ctrl-C stops `add`, `query_batch`, `save` and
    `open`. It pickles by value.

    Args:
        threshold: The Jaccard similarity of two texts' shingle sets from which on documents are to
            be found, above 0 and at most 1.
        recall: The least probability that a document exactly at the threshold is a candidate,
            between 0 and 1.
        permutations: The number of values in a signature, 1 to 4096.
        seed: The seed of the sketch.
        shingle: What a shingle is made of, as in `deduplicate`, like all that follow but the last.
        ngram: The number of these in a shingle. A shorter text is one shingle.
        lowercase: Whether texts are lower-cased first.
        unicode_form: The normalization form that texts are brought to first.
        casefold: Whether texts are case-folded first.
        strip_accents: Whether texts lose their accents first.
        strip_punctuation: Whether texts lose their punctuation first.
        collapse_digits: Whether every run of digits becomes one ``0`` first.
        code: Whether a code of at most 64 bytes is kept of each document: b bits of each value of
            its signature, from which similarities are estimated.

    Raises:
        InvalidArgumentException: An argument is out of range, or `permutations` too few for the
            recall; also a ValueError.

    Example:
        >>> index = MinHashIndex(threshold=0.7)
        >>> index.add(["the quick brown fox jumps over the lazy dog", "another text", None])
        array([0, 1, 2], dtype=uint64)
        >>> index.query("The quick brown fox jumps over the lazy dog!")
        [IndexMatch(id=0, similarity=1.0)]
        >>> index.remove([0])
        >>> len(index), 0 in index
        (2, False)
    """

    __slots__ = ("__weakref__", "_native")
    _native: Engine

    def __init__(
        self,
        threshold: float = 0.8,
        recall: float = 0.99,
        permutations: int = 128,
        seed: int = 42,
        *,
        shingle: Shingle = "auto",
        ngram: int = 5,
        lowercase: bool = True,
        unicode_form: UnicodeForm | None = None,
        casefold: bool = False,
        strip_accents: bool = False,
        strip_punctuation: bool = False,
        collapse_digits: bool = False,
        code: bool = True,
    ) -> None:
        """Make an empty index; see the class."""
        self._native = _native.MinHashIndex(
            encode(
                threshold=threshold,
                recall=recall,
                permutations=permutations,
                seed=seed,
                shingle=shingle,
                ngram=ngram,
                lowercase=lowercase,
                unicode_form=unicode_form,
                casefold=casefold,
                strip_accents=strip_accents,
                strip_punctuation=strip_punctuation,
                collapse_digits=collapse_digits,
                code=code,
            )
        )

    @classmethod
    def _of(cls, native: Engine) -> MinHashIndex:
        index = cls.__new__(cls)
        index._native = native  # noqa: SLF001 - its own
        return index

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that it was made with, by name."""
        options: dict[str, Any] = json.loads(self._native.options())
        return options

    def add(
        self,
        texts: object,
        ids: object | None = None,
        *,
        threads: int | None = None,
        progress: Progress = None,
    ) -> npt.NDArray[np.uint64]:
        """Add documents.

        Args:
            texts: The texts, as `deduplicate` takes them.
            ids: An integer from 0 to ``2**64 - 1`` for each, that no document has: an array, an
                Arrow column or a sequence. The next free numbers if None; a number is free when no
                document has ever had it or a larger one.
            threads: The number of threads; all of the machine's if None.
            progress: As for `deduplicate`.

        Returns:
            The ids of the documents; shape (documents,).

        Raises:
            InvalidArgumentException: An id is there already, is given twice or out of range, or
                there are more or fewer ids than texts; also a ValueError. Nothing is added then.
            TypeError: `texts` holds something other than texts, or `ids` other than integers.
            KeyboardInterrupt: Ctrl-C was pressed; nothing is added then.

        Example:
            >>> index = MinHashIndex()
            >>> index.add(["one text", "another"], ids=[7, 3])
            array([7, 3], dtype=uint64)
            >>> index.add(["a third"])
            array([8], dtype=uint64)
        """
        with reporting(progress) as report_to:
            return self._native.add(texts, ids, encode(threads=threads), report_to)

    def query(self, text: str, *, threshold: float | None = None) -> list[IndexMatch]:
        """Find the documents that are like a text.

        On an index of a million documents it takes well under a millisecond.

        Args:
            text: The text.
            threshold: The least estimate of a match, 0 to 1: all candidates if 0, and the
                threshold of the index if None.

        Returns:
            The matches, best first, and by their ids among equals.

        Raises:
            InvalidArgumentException: `threshold` is out of range; also a ValueError.
            TypeError: `text` is not a str.

        Example:
            >>> index = MinHashIndex()
            >>> ids = index.add(["one text", "One text!"])
            >>> [match.id for match in index.query("one text")]
            [0, 1]
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        return [IndexMatch(*match) for match in self._native.query(text, threshold)]

    def query_batch(
        self,
        column: object,
        *,
        threshold: float | None = None,
        threads: int | None = None,
        progress: Progress = None,
    ) -> Matches:
        """Find the documents that are like each text of a column, on all threads.

        Args:
            column: The texts, as `deduplicate` takes them. Null and empty ones have no match.
            threshold: As in `query`.
            threads: The number of threads; all of the machine's if None. It changes nothing else.
            progress: As for `deduplicate`.

        Returns:
            Offsets of shape (texts + 1,), ids and similarities: the matches of row r are
            ``ids[offsets[r]:offsets[r + 1]]``, as `query` would order them.

        Raises:
            InvalidArgumentException: `threshold` is out of range; also a ValueError.
            TypeError: `column` holds something other than texts.
            KeyboardInterrupt: Ctrl-C was pressed.

        Example:
            >>> index = MinHashIndex()
            >>> ids = index.add(["one text", "another"])
            >>> offsets, ids, similarities = index.query_batch(["another", None, "One text!"])
            >>> offsets, ids
            (array([0, 1, 1, 2]), array([1, 0], dtype=uint64))
        """
        with reporting(progress) as report_to:
            return self._native.query_batch(column, threshold, encode(threads=threads), report_to)

    def remove(self, ids: object) -> None:
        """Remove documents.

        Their bytes go when their segments are merged, or by `compact`.

        Args:
            ids: The ids: an array, an Arrow column or a sequence of integers.

        Raises:
            InvalidArgumentException: There is no document with one of the ids, or one is given
                twice; also a ValueError. Nothing is removed then.
            TypeError: `ids` are no integers.
        """
        self._native.remove(ids)

    def merge(self, other: MinHashIndex) -> None:
        """Add the documents of another index, which stays as it is.

        Args:
            other: An index with the same options, and without an id that is here.

        Raises:
            InvalidArgumentException: The options differ, or an id is in both; also a ValueError.
                Nothing is added then.
            TypeError: `other` is no index.
        """
        if not isinstance(other, MinHashIndex):
            raise TypeError(f"other must be a MinHashIndex, not {type(other).__name__}")
        self._native.merge(other._native)

    def compact(self, *, threads: int | None = None) -> None:
        """Make one segment of all, without what has been removed.

        The next `save` writes it, and deletes the segments that it replaces.

        Args:
            threads: The number of threads; all of the machine's if None.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the index is as it was then.
        """
        self._native.compact(encode(threads=threads))

    def save(self, store: StoreLike, key: str | None = None) -> None:
        """Save the index in a store.

        If it was opened from there or saved there before, only what is new is written. A crash at
        any moment leaves the old index. ``docs/minhash-index.md`` is the format.

        Args:
            store: A store or its URL.
            key: What the keys of its objects begin with, before a slash; they are at the root of
                the store if None.

        Raises:
            IndexException: Another index is there, or another writer has saved it since this one
                was opened: then open it and add to that. Or what is there is damaged.
            StorageException: The store failed.

        Example:
            >>> import mithril
            >>> store = mithril.open_store("memory://")
            >>> index = MinHashIndex()
            >>> ids = index.add(["one text"])
            >>> index.save(store, "corpus")
            >>> MinHashIndex.open(store, "corpus").query("one text")
            [IndexMatch(id=0, similarity=1.0)]
        """
        self._save(store, key).wait()

    async def save_async(self, store: StoreLike, key: str | None = None) -> None:
        """Save the index in a store; see `save`."""
        await run(self._save(store, key))

    def _save(self, store: StoreLike, key: str | None) -> Operation[None]:
        return self._native.save(_engine(store), _prefix(key))

    @classmethod
    def open(cls, store: StoreLike, key: str | None = None) -> MinHashIndex:
        """Open an index that was saved.

        In a folder its segments are mapped into memory, and in other stores read. All bytes are
        verified by their checksums, which reads them once.

        Args:
            store: A store or its URL.
            key: As for `save`.

        Returns:
            The index, which goes on from there: `save` adds to it.

        Raises:
            ObjectNotFoundException: There is no index; also a FileNotFoundError.
            IndexException: An object is damaged, cut, missing, of a newer version or something
                else; its `key` is the object's.
            StorageException: The store failed.
        """
        return cls._of(_native.MinHashIndex.open(_engine(store), _prefix(key)).wait())

    @classmethod
    async def open_async(cls, store: StoreLike, key: str | None = None) -> MinHashIndex:
        """Open an index that was saved; see `open`."""
        return cls._of(await run(_native.MinHashIndex.open(_engine(store), _prefix(key))))

    @staticmethod
    def sweep(store: StoreLike, key: str | None = None) -> int:
        """Delete segments that no manifest names, as a writer leaves them that dies or is stopped.

        Nobody may be saving there meanwhile: the segments of a manifest that is still to be
        written would go.

        Args:
            store: A store or its URL.
            key: As for `save`.

        Returns:
            How many there were.

        Raises:
            ObjectNotFoundException: There is no index; also a FileNotFoundError.
            IndexException: Its manifest is damaged.
            StorageException: The store failed.
        """
        return _native.MinHashIndex.sweep(_engine(store), _prefix(key)).wait()

    @staticmethod
    async def sweep_async(store: StoreLike, key: str | None = None) -> int:
        """Delete segments that no manifest names; see `sweep`."""
        return await run(_native.MinHashIndex.sweep(_engine(store), _prefix(key)))

    def stats(self) -> IndexStats:
        """Tell what the index holds; it looks at every bucket.

        Returns:
            The numbers.

        Example:
            >>> MinHashIndex().stats().bands
            16
        """
        return IndexStats(**json.loads(self._native.stats()))

    def ids(self) -> npt.NDArray[np.uint64]:
        """Return the ids of all documents, in ascending order."""
        return self._native.ids()

    def __len__(self) -> int:
        """Count the documents."""
        return len(self._native)

    def __contains__(self, id: object) -> bool:  # noqa: A002 - the word that is used everywhere
        """Tell whether a document has this id."""
        return id in self._native

    def __getstate__(self) -> tuple[bytes, list[bytes]]:
        """Return the index as bytes."""
        return self._native.to_objects()

    def __setstate__(self, state: tuple[bytes, list[bytes]]) -> None:
        """Make the index of bytes."""
        self._native = _native.MinHashIndex.from_objects(*state)

    def __repr__(self) -> str:
        """Say how many documents there are, and how they are found."""
        options = self.options
        return (
            f"<mithril.MinHashIndex: {len(self):,} documents, threshold={options['threshold']}, "
            f"recall={options['recall']}>"
        )


def _engine(store: StoreLike) -> EngineStorage:
    return check_storage(store)._native  # noqa: SLF001 - the engine's store


def _prefix(key: str | None) -> str:
    if key is None:
        return ""
    if not isinstance(key, str):
        raise of_kind("invalid_argument", f"key must be a str, not {type(key).__name__}")
    return key


def add_files(
    index: MinHashIndex,
    inputs: Iterable[str | os.PathLike[str]],
    *,
    text_column: str,
    id_column: str | None,
    input_format: str,
    threads: int | None,
    progress: Progress,
) -> int:
    """Add the texts of files to an index; for the command line.

    Args:
        index: The index.
        inputs: Files, folders and patterns, as `dedup_files` takes them.
        text_column: The column that holds the texts.
        id_column: The column that holds the ids; the next free numbers if None.
        input_format: As for `dedup_files`.
        threads: The number of threads.
        progress: As for `deduplicate`.

    Returns:
        The number of documents.
    """
    files = encode(text_column=text_column, id_column=id_column, input_format=input_format)
    with reporting(progress) as report_to:
        return index._native.add_files(  # noqa: SLF001 - of this package
            list(inputs), files, encode(threads=threads), report_to
        )


def query_files(
    index: MinHashIndex,
    inputs: Iterable[str | os.PathLike[str]],
    *,
    text_column: str,
    id_column: str | None,
    input_format: str,
    threshold: float | None,
    threads: int | None,
    progress: Progress,
) -> tuple[list[int] | None, Matches]:
    """Find what is like each text of files; for the command line.

    Args:
        index: The index.
        inputs: Files, folders and patterns, as `dedup_files` takes them.
        text_column: The column that holds the texts.
        id_column: The column that holds the ids of these texts, if they have some.
        input_format: As for `dedup_files`.
        threshold: As for `MinHashIndex.query`.
        threads: The number of threads.
        progress: As for `deduplicate`.

    Returns:
        The ids of these texts, and their matches as `MinHashIndex.query_batch` gives them.
    """
    files = encode(text_column=text_column, id_column=id_column, input_format=input_format)
    with reporting(progress) as report_to:
        return index._native.query_files(  # noqa: SLF001 - of this package
            list(inputs), files, threshold, encode(threads=threads), report_to
        )
