"""Hashing: functions, hashers that follow `hashlib`, and whole columns at a time.

| function | digest | cryptographic |
|---|---|---|
| `xxh64` | 8 bytes | no |
| `xxh3_64` | 8 bytes | no |
| `xxh3_128` | 16 bytes | no |
| `blake3` | 32 bytes | yes |
| `sha256` | 32 bytes | yes |

Digests are those of `xxhsum`, `b3sum` and `sha256sum`. BLAKE3 hashes large data on all cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mithril import _native
from mithril._native import Hasher, HashFunction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    import numpy as np
    import numpy.typing as npt

    from mithril.buffer import BytesLike

__all__ = [
    "Blake3Hash",
    "HashFunction",
    "Hasher",
    "Sha256Hash",
    "XxHash",
    "XxHash3",
    "blake3",
    "hash_column",
    "hash_many",
    "sha256",
    "xxh3_64",
    "xxh3_128",
    "xxh64",
]

Algorithm: TypeAlias = "str | HashFunction"
"""A hash function or its name: "xxh64", "xxh3", "xxh3_64", "xxh3_128", "blake3" or "sha256"."""


class _Function(HashFunction):
    """A hash function of one name, which its class knows."""

    _name: str

    def __new__(cls) -> Self:
        """Return the function."""
        return super().__new__(cls, cls._name)

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Return what makes the function again: it has no settings."""
        return type(self), ()

    def __eq__(self, other: object) -> bool:
        """Tell whether the two are the same function."""
        return type(self) is type(other)

    def __hash__(self) -> int:
        """Hash the name."""
        return hash(self._name)

    def __repr__(self) -> str:
        """Name the class."""
        return f"{type(self).__name__}()"


class XxHash(_Function):
    """XXH64 with seed 0: as fast as memory, and not cryptographic.

    Example:
        >>> XxHash().hash_hex(b"")
        'ef46db3751d8e999'
    """

    _name = "xxh64"


class XxHash3(_Function):
    """XXH3 with seed 0: 128 bits as bytes, 64 bits as a number; not cryptographic.

    Example:
        >>> XxHash3().hash_hex(b"")
        '99aa06d3014798d86001c324468d497f'
        >>> hex(XxHash3().hash_u64(b""))
        '0x2d06800538d394c2'
    """

    _name = "xxh3"


class Blake3Hash(_Function):
    """BLAKE3 with 256 bits: cryptographic, and on all cores for large data.

    Example:
        >>> Blake3Hash().hash_hex(b"")[:16]
        'af1349b9f5f9a1a6'
    """

    _name = "blake3"


class Sha256Hash(_Function):
    """SHA-256, where others expect it.

    Example:
        >>> Sha256Hash().hash_hex(b"abc")[:16]
        'ba7816bf8f01cfea'
    """

    _name = "sha256"


def xxh64(data: BytesLike = b"") -> Hasher:
    """Begin a hash by XXH64 with seed 0, of 8 bytes; not cryptographic.

    Args:
        data: The first piece of the data: anything with the buffer protocol.

    Returns:
        A hasher as those of hashlib.

    Example:
        >>> xxh64(b"abc").hexdigest()
        '44bc2cf5ad770999'
    """
    return _begin("xxh64", data)


def xxh3_64(data: BytesLike = b"") -> Hasher:
    """Begin a hash by XXH3 with seed 0, of 8 bytes; not cryptographic.

    Args:
        data: The first piece of the data: anything with the buffer protocol.

    Returns:
        A hasher as those of hashlib.

    Example:
        >>> xxh3_64().hexdigest()
        '2d06800538d394c2'
    """
    return _begin("xxh3_64", data)


def xxh3_128(data: BytesLike = b"") -> Hasher:
    """Begin a hash by XXH3 with seed 0, of 16 bytes; not cryptographic.

    Args:
        data: The first piece of the data: anything with the buffer protocol.

    Returns:
        A hasher as those of hashlib.

    Example:
        >>> xxh3_128().hexdigest()
        '99aa06d3014798d86001c324468d497f'
    """
    return _begin("xxh3_128", data)


def blake3(data: BytesLike = b"") -> Hasher:
    """Begin a hash by BLAKE3, of 32 bytes; cryptographic.

    Pieces of 256 KiB and more are hashed on all cores.

    Args:
        data: The first piece of the data: anything with the buffer protocol.

    Returns:
        A hasher as those of hashlib.

    Example:
        >>> blake3(b"content").digest_size
        32
    """
    return _begin("blake3", data)


def sha256(data: BytesLike = b"") -> Hasher:
    """Begin a hash by SHA-256, of 32 bytes; cryptographic.

    Args:
        data: The first piece of the data: anything with the buffer protocol.

    Returns:
        A hasher as those of hashlib.

    Example:
        >>> import hashlib
        >>> sha256(b"abc").digest() == hashlib.sha256(b"abc").digest()
        True
    """
    return _begin("sha256", data)


def _begin(name: str, data: BytesLike) -> Hasher:
    hasher = Hasher(name)
    hasher.update(data)
    return hasher


def hash_many(buffers: Iterable[BytesLike], algorithm: Algorithm = "blake3") -> list[bytes]:
    """Hash many buffers, on all cores and with the GIL released.

    Args:
        buffers: Things with the buffer protocol.
        algorithm: The hash function, or its name.

    Returns:
        The digest of each, in their order.

    Raises:
        InvalidArgumentException: There is no hash function of this name; also a ValueError.
        TypeError: One is no buffer; a note says which.

    Example:
        >>> [digest.hex()[:8] for digest in hash_many([b"one", b"two"], "sha256")]
        ['7692c3ad', '3fc4ccfe']
    """
    return _native.hash_many(_name_of(algorithm), list(buffers))


def hash_column(
    column: object, algorithm: Algorithm = "xxh3_64", *, null: int = 0
) -> npt.NDArray[np.uint64]:
    """Hash every row of a column of strings or bytes, on all cores.

    Args:
        column: An Arrow column of strings or bytes (pyarrow, polars, pandas 3), which is read where
            it is, or a sequence of `str` and `bytes`, each of which is copied. Strings are hashed
            as their UTF-8.
        algorithm: The hash function, or its name. Of BLAKE3 and SHA-256 these are the first 8
            bytes, most significant first.
        null: What a missing row has in place of a hash.

    Returns:
        The hashes, of shape (rows,): what `HashFunction.hash_u64` gives for each row.

    Raises:
        InvalidArgumentException: The column is of another type, or there is no hash function of
            this name; also a ValueError.
        TypeError: A row of a sequence is neither `str`, `bytes` nor None.

    Example:
        >>> hash_column(["one", b"one", None])
        array([10457265594366419360, 10457265594366419360,                    0],
              dtype=uint64)
    """
    return _native.hash_column(_name_of(algorithm), column, null)


def _name_of(algorithm: Algorithm) -> str:
    return algorithm if isinstance(algorithm, str) else algorithm.name
