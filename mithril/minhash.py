"""Signatures whose agreement estimates the similarity of two sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from mithril import _native
from mithril.exceptions import of_kind
from mithril.options import encode
from mithril.signature import MinHashSignature

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mithril.dedup import Shingle, UnicodeForm

Scheme: TypeAlias = Literal[
    "similarity", "datasketch", "datasketch-affine32", "datasketch-affine64", "datasketch-legacy"
]


class MinHasher:
    """Makes MinHash signatures: a few integers that stand for a set of any size.

    The share of values in which two signatures agree is an unbiased estimate of the Jaccard
    similarity of their sets. Equal arguments give equal signatures on every machine, today and
    with later versions; ``docs/signatures.md`` is their format.

    Two hashers are equal when they give the same signatures. A hasher can be pickled, and used
    from several threads at once. Its methods release the GIL, and Ctrl-C stops those that take
    columns or rows.

    Args:
        num_permutations: The number k of values in a signature, 1 to 4096. The standard error of
            an estimate is at most ``0.5 / sqrt(k)``.
        seed: Another seed is another, independent family of signatures: 0 to ``2**64 - 1``, and
            to ``2**32 - 1`` for the schemes of datasketch.
        scheme: ``"similarity"`` is the fastest, and has the smallest error. The others give the
            signatures of the Python package datasketch 2.0, bit for bit:
            ``"datasketch-affine32"`` (its default; also ``"datasketch"``),
            ``"datasketch-affine64"`` and ``"datasketch-legacy"``.

    Raises:
        InvalidArgumentException: An argument is out of range; also a ValueError.

    Example:
        >>> hasher = MinHasher(num_permutations=64)
        >>> one = hasher.hash_text("the quick brown fox jumps over the lazy dog")
        >>> two = hasher.hash_text("The quick brown fox jumps over the lazy dog!")
        >>> one.shape, one.dtype
        ((64,), dtype('uint64'))
        >>> MinHasher.similarity(one, two)
        1.0
    """

    __slots__ = ("_native",)
    _native: _native.MinHasher

    def __init__(
        self, num_permutations: int = 128, seed: int = 42, *, scheme: Scheme = "similarity"
    ) -> None:
        """Make a hasher; see the class."""
        self._native = _native.MinHasher(
            encode(num_permutations=num_permutations, seed=seed, scheme=scheme)
        )

    @property
    def num_permutations(self) -> int:
        """The number of values in a signature."""
        return self._native.num_permutations

    @property
    def seed(self) -> int:
        """The seed."""
        return self._native.seed

    @property
    def scheme(self) -> str:
        """The scheme by its full name."""
        return self._native.scheme

    @property
    def kernel(self) -> str:
        """The widest vectors of this machine.

        ``"avx512"``, ``"avx2"``, ``"neon"`` or, for whatever else there is, ``"portable"``. The
        scheme ``"similarity"`` runs on them; the values are the same on all.
        """
        return self._native.kernel

    def hash_tokens(
        self, tokens: object, offsets: object | None = None, *, threads: int | None = None
    ) -> npt.NDArray[np.uint64]:
        """Make the signature of a set of tokens, or of each of many sets.

        Tokens are hashes of any quality; their order, and how often each occurs, change nothing.
        The signature of the empty set has ``2**64 - 1`` in every place (``2**32 - 1`` with
        ``"datasketch-affine32"`` and ``"datasketch-legacy"``).

        Args:
            tokens: One set: a numpy array or other buffer of uint64, read where it is if it is
                contiguous, or a sequence of integers from 0 to ``2**64 - 1``. Many sets: the same
                with `offsets`, an array of shape (n, m), or, slower, a sequence of n sequences
                or arrays. Arrays must not be written to meanwhile.
            offsets: n + 1 integers that do not decrease: row r is
                ``tokens[offsets[r]:offsets[r + 1]]``.
            threads: The number of threads for many sets; all of the machine's if None.

        Returns:
            uint64 values of shape (k,) for one set and (n, k) for many.

        Raises:
            InvalidArgumentException: `offsets` do not fit `tokens`, with the row; an integer is
                out of range, or an array of another type; also a ValueError.
            TypeError: `tokens` are no integers.
            KeyboardInterrupt: Ctrl-C was pressed.

        Example:
            >>> hasher = MinHasher(num_permutations=16)
            >>> one = hasher.hash_tokens([1, 2, 3])
            >>> many = hasher.hash_tokens([1, 2, 3, 7, 8], offsets=[0, 3, 3, 5])
            >>> many.shape
            (3, 16)
            >>> bool((many[0] == one).all())
            True
        """
        return self._native.hash_tokens(tokens, offsets, encode(threads=threads))

    def hash_column(
        self,
        column: object,
        *,
        shingle: Shingle = "auto",
        ngram: int = 5,
        lowercase: bool = True,
        unicode_form: UnicodeForm | None = None,
        casefold: bool = False,
        strip_accents: bool = False,
        strip_punctuation: bool = False,
        collapse_digits: bool = False,
        threads: int | None = None,
    ) -> npt.NDArray[np.uint64]:
        """Make the signature of every text of a column.

        The set of a text is that of its shingles, cut as `deduplicate` cuts them. With a scheme
        of datasketch the token of a shingle is datasketch's own hash (SHA-1) of its bytes: those
        of its words, joined by one space, or of its characters, joined by nothing, in UTF-8.

        Args:
            column: The texts, as `deduplicate` takes them.
            shingle: What a shingle is made of, as in `deduplicate`.
            ngram: The number of these in a shingle. A shorter text is one shingle.
            lowercase: Whether texts are lower-cased first.
            unicode_form: As for `deduplicate`, like the next four.
            casefold: Whether texts are case-folded first.
            strip_accents: Whether texts lose their accents first.
            strip_punctuation: Whether texts lose their punctuation first.
            collapse_digits: Whether every run of digits becomes one ``0`` first.
            threads: The number of threads; all of the machine's if None.

        Returns:
            uint64 values of shape (n, k). A text without a shingle, and null, have the signature
            of the empty set.

        Raises:
            InvalidArgumentException: An argument is out of range; also a ValueError.
            TypeError: `column` holds something other than texts.
            KeyboardInterrupt: Ctrl-C was pressed.

        Example:
            >>> MinHasher(num_permutations=16).hash_column(["one text", "another", None]).shape
            (3, 16)
        """
        options = encode(
            shingle=shingle,
            ngram=ngram,
            lowercase=lowercase,
            unicode_form=unicode_form,
            casefold=casefold,
            strip_accents=strip_accents,
            strip_punctuation=strip_punctuation,
            collapse_digits=collapse_digits,
            threads=threads,
        )
        return self._native.hash_column(column, options)

    def band_column(
        self,
        column: object,
        threshold: float = 0.8,
        recall: float = 0.99,
        *,
        shingle: Shingle = "auto",
        ngram: int = 5,
        lowercase: bool = True,
        unicode_form: UnicodeForm | None = None,
        casefold: bool = False,
        strip_accents: bool = False,
        strip_punctuation: bool = False,
        collapse_digits: bool = False,
        threads: int | None = None,
    ) -> npt.NDArray[np.uint64]:
        """Make the band hashes of every text of a column; no signature is held.

        Two texts are candidates when they have the same hash in any band. A hash says which band
        it is of, so one table can hold all of them.

        Args:
            column: The texts, as `deduplicate` takes them.
            threshold: The Jaccard similarity of two texts' shingle sets from which on they are
                to be found, above 0 and at most 1.
            recall: The least probability that a pair exactly at the threshold is a candidate,
                between 0 and 1.
            shingle: What a shingle is made of, as in `deduplicate`.
            ngram: The number of these in a shingle. A shorter text is one shingle.
            lowercase: Whether texts are lower-cased first.
            unicode_form: As for `deduplicate`, like the next four.
            casefold: Whether texts are case-folded first.
            strip_accents: Whether texts lose their accents first.
            strip_punctuation: Whether texts lose their punctuation first.
            collapse_digits: Whether every run of digits becomes one ``0`` first.
            threads: The number of threads; all of the machine's if None.

        Returns:
            uint64 hashes of shape (n, bands), with the bands that `banding` gives. A text without
            a shingle, and null, are like nothing: they have ``2**64 - 1`` in every band, and are
            to be left out. Any other text has that in a band with probability ``2**-64``.

        Raises:
            InvalidArgumentException: An argument is out of range, or `num_permutations` too few
                for the recall; also a ValueError.
            TypeError: `column` holds something other than texts.
            KeyboardInterrupt: Ctrl-C was pressed.

        Example:
            >>> hashes = MinHasher().band_column(["one text", "One text!", ""])
            >>> hashes.shape
            (3, 16)
            >>> bool((hashes[0] == hashes[1]).any())
            True
            >>> bool((hashes[2] == 2**64 - 1).all())
            True
        """
        options = encode(
            threshold=threshold,
            recall=recall,
            shingle=shingle,
            ngram=ngram,
            lowercase=lowercase,
            unicode_form=unicode_form,
            casefold=casefold,
            strip_accents=strip_accents,
            strip_punctuation=strip_punctuation,
            collapse_digits=collapse_digits,
            threads=threads,
        )
        return self._native.band_column(column, options)

    def banding(self, threshold: float = 0.8, recall: float = 0.99) -> tuple[int, int]:
        """Return how `band_column` cuts signatures.

        Args:
            threshold: As in `band_column`.
            recall: As in `band_column`.

        Returns:
            The number of bands and the number of values in each.

        Raises:
            InvalidArgumentException: An argument is out of range, or `num_permutations` too few
                for the recall; also a ValueError.

        Example:
            >>> MinHasher().banding(threshold=0.8, recall=0.99)
            (16, 6)
        """
        return self._native.banding(encode(threshold=threshold, recall=recall))

    def hash_text(
        self, text: str, *, shingle: Shingle = "auto", ngram: int = 5, lowercase: bool = True
    ) -> npt.NDArray[np.uint64]:
        """Make the signature of one text; `hash_column` is many times faster for many.

        Args:
            text: The text.
            shingle: What a shingle is made of, as in `deduplicate`.
            ngram: The number of these in a shingle. A shorter text is one shingle.
            lowercase: Whether the text is lower-cased first.

        Returns:
            uint64 values of shape (k,): the row that `hash_column` has for this text.

        Raises:
            InvalidArgumentException: An argument is out of range; also a ValueError.
            TypeError: `text` is not a str.

        Example:
            >>> MinHasher(num_permutations=16).hash_text("a text").shape
            (16,)
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, not {type(text).__name__}")
        signatures = self.hash_column(
            [text], shingle=shingle, ngram=ngram, lowercase=lowercase, threads=1
        )
        return signatures.reshape(-1)

    def signature(
        self,
        tokens_or_text: object,
        *,
        shingle: Shingle = "auto",
        ngram: int = 5,
        lowercase: bool = True,
    ) -> MinHashSignature:
        """Make the signature of a set as an object, with its similarity, bands and union.

        Args:
            tokens_or_text: A text, as for `hash_text`, or one set of tokens, as for `hash_tokens`.
            shingle: What a shingle of a text is made of, as in `deduplicate`.
            ngram: The number of these in a shingle.
            lowercase: Whether a text is lower-cased first.

        Returns:
            The signature.

        Raises:
            InvalidArgumentException: An argument is out of range, or there are many sets; also a
                ValueError.
            TypeError: It is neither a text nor integers.

        Example:
            >>> hasher = MinHasher(num_permutations=64)
            >>> hasher.signature("a text").similarity(hasher.signature("A text!"))
            1.0
        """
        if isinstance(tokens_or_text, str):
            values = self.hash_text(
                tokens_or_text, shingle=shingle, ngram=ngram, lowercase=lowercase
            )
        else:
            values = self.hash_tokens(tokens_or_text)
        if values.ndim != 1:
            message = "tokens must be one set: hash_tokens makes the signatures of many"
            raise of_kind("invalid_argument", message)
        return MinHashSignature._of(values, self.seed, self.scheme)  # noqa: SLF001 - of this package

    @staticmethod
    def similarity(one: object, two: object) -> float:
        """Estimate the Jaccard similarity of two sets from their signatures.

        Args:
            one: A signature: a uint64 array of shape (k,), or a sequence of integers.
            two: Another of the same hasher.

        Returns:
            The share of places in which the two agree; 0 for the empty set, which is like
            nothing.

        Raises:
            InvalidArgumentException: The two have different lengths, or are no signatures; also a
                ValueError.
            TypeError: A signature holds something other than integers.

        Example:
            >>> MinHasher.similarity([1, 2, 3, 4], [1, 2, 3, 5])
            0.75
        """
        return _native.MinHasher.similarity(one, two)

    def __getstate__(self) -> tuple[int, int, str]:
        """Return the configuration."""
        return self.num_permutations, self.seed, self.scheme

    def __setstate__(self, state: tuple[int, int, Scheme]) -> None:
        """Make the hasher of a configuration."""
        num_permutations, seed, scheme = state
        MinHasher.__init__(self, num_permutations, seed, scheme=scheme)

    def __eq__(self, other: object) -> bool:
        """Tell whether the two give the same signatures."""
        if not isinstance(other, MinHasher):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        """Hash the configuration."""
        return hash(self.__getstate__())

    def __repr__(self) -> str:
        """Write the hasher as it would be made."""
        return (
            f"MinHasher(num_permutations={self.num_permutations}, seed={self.seed}, "
            f"scheme={self.scheme!r})"
        )
