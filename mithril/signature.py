"""Single signatures."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mithril import _native
from mithril.exceptions import of_kind
from mithril.options import encode
from mithril.summary import as_html

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mithril.minhash import Scheme

_SHOWN = 3


class MinHashSignature:
    """The values that stand for a set, with what made them.

    Signatures are compared and merged only with signatures of the same hasher: of the same number
    of values, seed and scheme. `MinHasher.signature` makes one of tokens or of a text; this class
    makes one of values that were stored. A signature does not change, can be pickled, and is equal
    to one of the same hasher with the same values. ``numpy.asarray(signature)`` is its values.

    Args:
        values: The values: uint64 of shape (k,), or a sequence of integers; they are copied.
        seed: The seed of the hasher that made them.
        scheme: Its scheme.

    Raises:
        InvalidArgumentException: There are no values or too many, or no hasher has the seed and the
            scheme; also a ValueError.
        TypeError: `values` are no integers.

    Example:
        >>> from mithril import MinHasher
        >>> hasher = MinHasher(num_permutations=64)
        >>> one, two = hasher.signature([1, 2, 3]), hasher.signature([2, 3, 4])
        >>> one.merge(two) == hasher.signature([1, 2, 3, 4])
        True
        >>> rows = hasher.hash_column(["one text", "another"])
        >>> MinHashSignature(rows[0]).similarity(hasher.signature("one text"))
        1.0
    """

    __slots__ = ("_hasher", "_values")
    _hasher: tuple[int, str]
    _values: npt.NDArray[np.uint64]

    def __init__(self, values: object, *, seed: int = 42, scheme: Scheme = "similarity") -> None:
        """Take values that were stored; see the class."""
        # The union of a set with itself: the engine checks the values and copies them.
        copy = _native.MinHasher.merge(values, values)
        self._hasher = _checked(len(copy), seed, scheme)
        self._values = _read_only(copy)

    @classmethod
    def _of(cls, values: npt.NDArray[np.uint64], seed: int, scheme: str) -> MinHashSignature:
        """Take values that nobody else has."""
        signature = cls.__new__(cls)
        signature._hasher = seed, scheme  # noqa: SLF001 - its own
        signature._values = _read_only(values)  # noqa: SLF001 - its own
        return signature

    @property
    def values(self) -> npt.NDArray[np.uint64]:
        """The values, where they are: read-only, of shape (k,)."""
        return self._values

    @property
    def num_permutations(self) -> int:
        """The number k of values."""
        return len(self._values)

    @property
    def seed(self) -> int:
        """The seed of the hasher."""
        return self._hasher[0]

    @property
    def scheme(self) -> str:
        """The scheme of the hasher, by its full name."""
        return self._hasher[1]

    @property
    def is_empty(self) -> bool:
        """Whether this is the signature of the empty set."""
        return len(self.bands(1)) == 0

    def similarity(self, other: MinHashSignature) -> float:
        """Estimate the Jaccard similarity of two sets.

        Args:
            other: The signature of the other set.

        Returns:
            The share of places in which the two agree; 0 for the empty set, which is like nothing.

        Raises:
            InvalidArgumentException: Another hasher has made it; also a ValueError.

        Example:
            >>> from mithril import MinHasher
            >>> hasher = MinHasher()
            >>> hasher.signature([1, 2]).similarity(hasher.signature([2, 1, 1]))
            1.0
        """
        self._check(other)
        return _native.MinHasher.similarity(self._values, other._values)

    def bands(self, num_bands: int) -> npt.NDArray[np.uint64]:
        """Make one hash for each of `num_bands` bands of ``k // num_bands`` values each.

        Two sets of Jaccard similarity J agree in a band of r values with probability ``J**r``. A
        hash says which band it is of, so one table can hold all of them. They are those of
        `MinHasher.band_column`, if there are as many.

        Args:
            num_bands: The number of bands; values that are left over belong to none.

        Returns:
            uint64 hashes of shape (num_bands,), or (k,) if that is less; none for the empty set,
            which is like nothing.

        Raises:
            InvalidArgumentException: `num_bands` is less than 1; also a ValueError.

        Example:
            >>> from mithril import MinHasher
            >>> MinHasher(num_permutations=128).signature([1, 2, 3]).bands(16).shape
            (16,)
        """
        if num_bands < 1:
            raise of_kind("invalid_argument", f"num_bands must be at least 1, not {num_bands}")
        return _native.MinHasher.bands(self._values, num_bands)

    def merge(self, other: MinHashSignature) -> MinHashSignature:
        """Return the signature of the union of the two sets, exactly.

        Args:
            other: The signature of the other set.

        Returns:
            The signature that the hasher has for the union.

        Raises:
            InvalidArgumentException: Another hasher has made it; also a ValueError.
        """
        self._check(other)
        merged = _native.MinHasher.merge(self._values, other._values)
        return self._of(merged, self.seed, self.scheme)

    def _check(self, other: MinHashSignature) -> None:
        if not isinstance(other, MinHashSignature):
            kind = type(other).__name__
            raise TypeError(f"a MinHashSignature is needed, not {kind}; it can be made of values")
        for name in ("num_permutations", "seed", "scheme"):
            one, two = getattr(self, name), getattr(other, name)
            if one != two:
                message = f"signatures of different hashers: {name} is {one!r} and {two!r}"
                raise of_kind("invalid_argument", message)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Return the values, where they are unless another type or a copy is wanted."""
        if dtype is not None and dtype != self._values.dtype:
            if copy is False:
                raise ValueError(f"values of {dtype} are a copy, which was not to be made")
            return self._values.astype(dtype)
        return self._values.copy() if copy else self._values

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self._values)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the values and what made them."""
        return _restore, (self._values.tobytes(), self.seed, self.scheme)

    def __eq__(self, other: object) -> bool:
        """Tell whether the same hasher gave the same values."""
        if not isinstance(other, MinHashSignature):
            return NotImplemented
        same = self._hasher == other._hasher and len(self) == len(other)
        return same and bool((self._values == other._values).all())

    def __hash__(self) -> int:
        """Hash the values and what made them."""
        return hash((self._values.tobytes(), self._hasher))

    def __repr__(self) -> str:
        """Show the first values and what made them."""
        shown = ", ".join(map(str, self._values[:_SHOWN].tolist()))
        rest = ", ..." if len(self) > _SHOWN else ""
        return (
            f"<MinHashSignature [{shown}{rest}] num_permutations={len(self)}, seed={self.seed}, "
            f"scheme={self.scheme!r}>"
        )

    def _repr_html_(self) -> str:
        rows = {
            "values": f"{len(self):,}",
            "seed": str(self.seed),
            "scheme": self.scheme,
            "first": ", ".join(f"{value:016x}" for value in self._values[:_SHOWN].tolist()),
        }
        return as_html(list(rows.items()))


@lru_cache(maxsize=64)
def _checked(num_permutations: int, seed: int, scheme: Scheme) -> tuple[int, str]:
    """Return the seed and the full name of the scheme of a hasher that there is."""
    hasher = _native.MinHasher(encode(num_permutations=num_permutations, seed=seed, scheme=scheme))
    return hasher.seed, hasher.scheme


def _read_only(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values.setflags(write=False)
    # Of a view nobody can make that undone.
    return values.view()


def _restore(values: bytes, seed: int, scheme: str) -> MinHashSignature:
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    return MinHashSignature._of(np.frombuffer(values, "uint64"), seed, scheme)  # noqa: SLF001
