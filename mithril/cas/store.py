"""The verbs of a content-addressed store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from mithril import _native
from mithril.cas.report import CasStats, Damage, RepairReport, VerifyReport
from mithril.exceptions import of_kind
from mithril.operation import run
from mithril.options import encode
from mithril.storage.stores import check_storage
from mithril.storage.stream import ByteStream, is_whole, upload, upload_async
from mithril.types import DType, bytes_to_numpy

if TYPE_CHECKING:
    import builtins
    import os
    from collections.abc import Iterable

    import numpy.typing as npt

    from mithril._native import Bytes, Operation
    from mithril.buffer import BytesLike
    from mithril.exceptions import MithrilException
    from mithril.storage.base import Storage
    from mithril.storage.stream import AsyncSource, Source

Hash: TypeAlias = Literal["blake3", "sha256", "xxh3", "xxh64"]
CompressorName: TypeAlias = Literal["zstd", "lz4", "adaptive"]
Level: TypeAlias = "int | Literal['fastest', 'fast', 'default', 'best']"
T = TypeVar("T")

_CONCURRENCY = 64


class ContentAddressedStore:
    """Contents under the hash of their bytes: each once, however often it is stored.

    Every `store` of a content adds a reference, every `delete` takes one, and the bytes go with
    the last one. References are in the store itself: they survive the process, and any number of
    processes may store and delete at the same time. A crash leaves bytes without a reference at
    worst, which `repair` sweeps, and never a reference without bytes. Every read is verified.

    The addresses are lower-case hexadecimal, as `hashlib`, ``b3sum`` and ``xxhsum`` write them.
    With a hash that is not cryptographic (``"xxh3"``, ``"xxh64"``), storing a content whose hash is
    known compares the bytes, and a difference is an error.

    As with `Storage`, methods release the GIL, Ctrl-C stops them, each has an ``_async`` twin, and
    a store can be used from any number of threads, event loops and forked children. It pickles as
    its configuration; two are equal when their configurations are.

    Args:
        store: A store or its URL. It holds nothing else: give it a prefix or a folder of its own.
        hash: The hash function. Contents that were stored by another cannot be read.
        compressor: What compresses the contents that are stored from now on, where that makes
            them smaller. What is there stays readable, whatever it was compressed with.
        level: The level of ``"zstd"`` or ``"lz4"``: a name, or the codec's own number.

    Raises:
        InvalidArgumentException: An argument is none of these, or the compressor has no levels;
            also a ValueError.
        ContentNotFoundException: No content has the address; also a FileNotFoundError.
        InvalidAddressException: The text is no address of this store; also a ValueError.
        CasException: The content is damaged, or failed in another way. Exceptions have `key` (the
            address), `store` (the URL) and `kind`.
        StorageException: The store below failed.

    Example:
        >>> cas = ContentAddressedStore("memory://", compressor="zstd", level=9)
        >>> address = cas.store(b"checkpoint " * 1000)
        >>> cas.store(b"checkpoint " * 1000) == address
        True
        >>> cas.stats().total_objects, cas.references(address)
        (1, 2)
        >>> cas.delete(address)
        >>> cas.contains(address)
        True
    """

    __slots__ = ("__weakref__", "_compressor", "_hash", "_level", "_native", "_store")

    def __init__(
        self,
        store: Storage | str | os.PathLike[str],
        hash: Hash = "blake3",  # noqa: A002 - the word of the field
        compressor: CompressorName | None = None,
        level: Level = "default",
    ) -> None:
        """Open the store; see the class."""
        self._store = check_storage(store)
        self._hash = hash
        self._compressor = compressor
        self._level: Level = level
        self._native = _native.ContentAddressedStore(
            self._store._native,  # noqa: SLF001 - the engine's store, which it stands on
            encode(hash=hash, compressor=compressor, level=level),
        )

    @property
    def storage(self) -> Storage:
        """The store below."""
        return self._store

    @property
    def url(self) -> str:
        """The URL of the store below; it holds no secret."""
        return self._store.url

    @property
    def hash(self) -> str:
        """The name of the hash function."""
        return self._hash

    @property
    def compressor(self) -> str | None:
        """The name of the compressor; None if contents are stored as they are."""
        return self._compressor

    @property
    def level(self) -> Level:
        """The level of the compressor."""
        return self._level

    def store(self, data: Source) -> str:
        """Add a reference to a content, which is written if it is new.

        Args:
            data: The content: anything with the buffer protocol (`bytes` are not copied; what
                another thread could write to is), a path (`pathlib.Path`), a file open for reading,
                or an iterable of bytes. An array's type and shape are not kept: see `store_array`.

        Returns:
            The address.

        Raises:
            CasException: Other content has the same hash, which is not cryptographic.
            TypeError: `data` is nothing that holds or gives bytes.
        """
        if is_whole(data):
            return self._native.store(data).wait()
        return upload(self._native.upload(), data)

    async def store_async(self, data: AsyncSource) -> str:
        """Add a reference to a content; see `store`. It may come asynchronously."""
        if is_whole(data):
            return await run(self._native.store(data))
        return await upload_async(self._native.upload(), data)

    def store_stream(self, data: Source) -> str:
        """Add a reference to a content in pieces, which need not fit into memory together.

        Nothing is stored if the source raises. With a compressor the content is stored compressed
        even if that makes it larger: it is not known beforehand.

        Args:
            data: An iterable of bytes, a path, or a file open for reading.

        Returns:
            The address, which is that of `store`.
        """
        return upload(self._native.upload(), data)

    async def store_stream_async(self, data: AsyncSource) -> str:
        """Add a reference to a content that comes in pieces; see `store_stream`."""
        return await upload_async(self._native.upload(), data)

    @overload
    def store_many(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> builtins.list[str]: ...
    @overload
    def store_many(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[True],
    ) -> builtins.list[str | MithrilException]: ...
    def store_many(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> builtins.list[str] | builtins.list[str | MithrilException]:
        """Add a reference to each of many contents.

        One that fails does not stop the others.

        Args:
            contents: The contents, each anything with the buffer protocol.
            concurrency: How many may be under way at a time.
            return_exceptions: Whether a content that cannot be stored has its exception in its
                place, instead of its being raised. Without it nobody learns the addresses of the
                others.

        Returns:
            The addresses in the order of `contents`.
        """
        operation = self._native.store_many(list(contents), _checked(concurrency))
        return _entries(operation.wait(), raising=not return_exceptions)

    @overload
    async def store_many_async(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> builtins.list[str]: ...
    @overload
    async def store_many_async(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[True],
    ) -> builtins.list[str | MithrilException]: ...
    async def store_many_async(
        self,
        contents: Iterable[BytesLike],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> builtins.list[str] | builtins.list[str | MithrilException]:
        """Add a reference to each of many contents; see `store_many`."""
        operation = self._native.store_many(list(contents), _checked(concurrency))
        return _entries(await run(operation), raising=not return_exceptions)

    def store_array(self, array: npt.ArrayLike) -> str:
        """Add a reference to an array, with its type and shape.

        The content is a small header before the elements, whose format is in
        ``docs/content-store.md``. Equal arrays have one address, whatever their order in memory.

        Args:
            array: An array of any shape, of a type that `DType` has.

        Returns:
            The address.

        Raises:
            InvalidArgumentException: The type is none of `DType`, or of the byte order of other
                machines; also a ValueError.

        Example:
            >>> import numpy as np
            >>> cas = ContentAddressedStore("memory://")
            >>> address = cas.store_array(np.ones((2, 3), "float16"))
            >>> cas.retrieve_array(address)
            array([[1., 1., 1.],
                   [1., 1., 1.]], dtype=float16)
        """
        return self._store_array(array).wait()

    async def store_array_async(self, array: npt.ArrayLike) -> str:
        """Add a reference to an array; see `store_array`."""
        return await run(self._store_array(array))

    def _store_array(self, array: npt.ArrayLike) -> Operation[str]:
        import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

        array = np.asarray(array)
        return self._native.store_array(array, DType.from_numpy(array.dtype).value, array.shape)

    def retrieve(self, address: str) -> Bytes:
        """Get the content of an address, verified.

        Args:
            address: The address.

        Returns:
            The bytes, read-only, in the memory that they arrived in.

        Raises:
            ContentNotFoundException: No content has the address; also a FileNotFoundError.
            CasException: What is there is not what was stored.
        """
        return self._native.retrieve(address).wait()

    async def retrieve_async(self, address: str) -> Bytes:
        """Get the content of an address; see `retrieve`."""
        return await run(self._native.retrieve(address))

    def retrieve_stream(self, address: str) -> ByteStream:
        """Get the content of an address in pieces, which need not fit into memory together.

        What it is can only be verified at its end: the content is right if the loop ends without
        an exception, and is to be thrown away otherwise.

        Args:
            address: The address.

        Returns:
            The pieces, for ``for`` and ``async for``.
        """
        return ByteStream(self._native.retrieve_stream(address).wait())

    async def retrieve_stream_async(self, address: str) -> ByteStream:
        """Get the content of an address in pieces; see `retrieve_stream`."""
        return ByteStream(await run(self._native.retrieve_stream(address)))

    @overload
    def retrieve_many(
        self,
        addresses: Iterable[str],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> builtins.list[Bytes]: ...
    @overload
    def retrieve_many(
        self, addresses: Iterable[str], *, concurrency: int = ..., return_exceptions: Literal[True]
    ) -> builtins.list[Bytes | MithrilException]: ...
    def retrieve_many(
        self,
        addresses: Iterable[str],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> builtins.list[Bytes] | builtins.list[Bytes | MithrilException]:
        """Get the contents of many addresses, verified.

        Args:
            addresses: The addresses.
            concurrency: How many may be under way at a time.
            return_exceptions: Whether a content that cannot be got has its exception in its place,
                instead of its being raised.

        Returns:
            The contents in the order of `addresses`.
        """
        operation = self._native.retrieve_many(list(addresses), _checked(concurrency))
        return _entries(operation.wait(), raising=not return_exceptions)

    @overload
    async def retrieve_many_async(
        self,
        addresses: Iterable[str],
        *,
        concurrency: int = ...,
        return_exceptions: Literal[False] = ...,
    ) -> builtins.list[Bytes]: ...
    @overload
    async def retrieve_many_async(
        self, addresses: Iterable[str], *, concurrency: int = ..., return_exceptions: Literal[True]
    ) -> builtins.list[Bytes | MithrilException]: ...
    async def retrieve_many_async(
        self,
        addresses: Iterable[str],
        *,
        concurrency: int = _CONCURRENCY,
        return_exceptions: bool = False,
    ) -> builtins.list[Bytes] | builtins.list[Bytes | MithrilException]:
        """Get the contents of many addresses, verified; see `retrieve_many`."""
        operation = self._native.retrieve_many(list(addresses), _checked(concurrency))
        return _entries(await run(operation), raising=not return_exceptions)

    def retrieve_array(self, address: str) -> npt.NDArray[Any]:
        """Get the array of an address, as it was given to `store_array`.

        Args:
            address: The address.

        Returns:
            The array, read-only and in C order, over the memory that it arrived in.

        Raises:
            CasException: The content is no array, or is damaged.
            ImportError: It is of bfloat16, and the package ml_dtypes is not installed.
        """
        return _array(self._native.retrieve_array(address).wait())

    async def retrieve_array_async(self, address: str) -> npt.NDArray[Any]:
        """Get the array of an address; see `retrieve_array`."""
        return _array(await run(self._native.retrieve_array(address)))

    def contains(self, address: str) -> bool:
        """Tell whether there is a reference to the content of an address.

        Args:
            address: The address.

        Returns:
            Whether there is one.
        """
        return self._native.contains(address).wait()

    async def contains_async(self, address: str) -> bool:
        """Tell whether there is a reference to the content of an address; see `contains`."""
        return await run(self._native.contains(address))

    def delete(self, address: str) -> None:
        """Take a reference from a content, whose bytes go with the last one.

        Args:
            address: The address.

        Raises:
            ContentNotFoundException: There is no reference; also a FileNotFoundError.
        """
        self._native.delete(address).wait()

    async def delete_async(self, address: str) -> None:
        """Take a reference from a content; see `delete`."""
        await run(self._native.delete(address))

    def references(self, address: str) -> int:
        """Count the references to the content of an address.

        Args:
            address: The address.

        Returns:
            Their number; 0 if it is not stored.
        """
        return self._native.references(address).wait()

    async def references_async(self, address: str) -> int:
        """Count the references to the content of an address; see `references`."""
        return await run(self._native.references(address))

    def set_references(self, address: str, references: int) -> None:
        """Set the number of references, for those who keep account of them elsewhere.

        Args:
            address: The address.
            references: The number; 0 deletes the bytes.

        Raises:
            ContentNotFoundException: There is no such content; also a FileNotFoundError.
        """
        self._native.set_references(address, references).wait()

    async def set_references_async(self, address: str, references: int) -> None:
        """Set the number of references; see `set_references`."""
        await run(self._native.set_references(address, references))

    def list(self) -> builtins.list[str]:
        """List the addresses of all contents that have a reference.

        Returns:
            The addresses, sorted.
        """
        return self._native.list().wait()

    async def list_async(self) -> builtins.list[str]:
        """List the addresses of all contents; see `list`."""
        return await run(self._native.list())

    def stats(self) -> CasStats:
        """Count what is stored. It reads every record.

        Returns:
            The contents and their bytes.
        """
        return CasStats(*self._native.stats().wait())

    async def stats_async(self) -> CasStats:
        """Count what is stored; see `stats`."""
        return CasStats(*await run(self._native.stats()))

    def verify(self, share: float = 1.0, *, seed: int = 0) -> VerifyReport:
        """Read and hash contents.

        Args:
            share: The probability with which each is read, 0 to 1; all are if it is 1.
            seed: Another seed draws others, 0 to ``2**64 - 1``.

        Returns:
            What was found; damage is no exception.

        Raises:
            InvalidArgumentException: `share` is out of range; also a ValueError.

        Example:
            >>> cas = ContentAddressedStore("memory://")
            >>> _ = cas.store(b"some text")
            >>> cas.verify()
            VerifyReport(checked=1, bytes=9, damaged=())
        """
        return _verified(self._verify(share, seed).wait())

    async def verify_async(self, share: float = 1.0, *, seed: int = 0) -> VerifyReport:
        """Read and hash contents; see `verify`."""
        return _verified(await run(self._verify(share, seed)))

    def _verify(self, share: float, seed: int) -> Operation[_Verified]:
        if not 0 <= share <= 1:
            raise of_kind("invalid_argument", f"share must be between 0 and 1, not {share}")
        return self._native.verify(share, seed)

    def repair(
        self,
        *,
        keep_unreferenced: bool = False,
        discard_damaged: bool = False,
        exclusive: bool = False,
    ) -> RepairReport:
        """Rebuild records that cannot be read, and remove what crashes have left.

        Others may store and delete meanwhile. It reads every record, and the bytes of those whose
        record is rebuilt; `verify` finds the damage of others.

        Args:
            keep_unreferenced: Whether bytes without a record become contents with an unknown number
                of references, if they are whole: for stores whose records were lost. Without it
                such bytes are what a crash left, and are swept.
            discard_damaged: Whether contents whose bytes are missing or damaged are given up, so
                that they can be stored anew. It reads all contents.
            exclusive: Whether nobody else uses the store: what is kept for slow writers only goes
                too.

        Returns:
            What was done; damage is no exception.
        """
        operation = self._native.repair(keep_unreferenced, discard_damaged, exclusive)
        return _repaired(operation.wait())

    async def repair_async(
        self,
        *,
        keep_unreferenced: bool = False,
        discard_damaged: bool = False,
        exclusive: bool = False,
    ) -> RepairReport:
        """Rebuild records and remove what crashes have left; see `repair`."""
        operation = self._native.repair(keep_unreferenced, discard_damaged, exclusive)
        return _repaired(await run(operation))

    def _configuration(self) -> tuple[Storage, Any, Any, Any]:
        return self._store, self._hash, self._compressor, self._level

    def __reduce__(self) -> tuple[type[ContentAddressedStore], tuple[Storage, Any, Any, Any]]:
        """Pickle the configuration."""
        return ContentAddressedStore, self._configuration()

    def __eq__(self, other: object) -> bool:
        """Tell whether the two are the same store with the same settings."""
        if not isinstance(other, ContentAddressedStore):
            return NotImplemented
        return self._configuration() == other._configuration()

    def __hash__(self) -> int:
        """Hash the configuration."""
        return hash(self._configuration())

    def __repr__(self) -> str:
        """Write the store as it would be opened."""
        settings = "" if self._compressor is None else f", compressor={self._compressor!r}"
        if self._level != "default":
            settings += f", level={self._level!r}"
        return f"ContentAddressedStore({self.url!r}, hash={self._hash!r}{settings})"


_Damaged: TypeAlias = "list[tuple[str, str]]"
_Verified: TypeAlias = "tuple[int, int, _Damaged]"


def _damaged(damaged: _Damaged) -> tuple[Damage, ...]:
    return tuple(Damage(address, fault) for address, fault in damaged)


def _verified(report: _Verified) -> VerifyReport:
    checked, size, damaged = report
    return VerifyReport(checked, size, _damaged(damaged))


def _repaired(report: tuple[list[str], int, int, _Damaged]) -> RepairReport:
    rebuilt, swept_objects, swept_bytes, damaged = report
    return RepairReport(tuple(rebuilt), swept_objects, swept_bytes, _damaged(damaged))


def _array(found: tuple[str, list[int], Bytes]) -> npt.NDArray[Any]:
    dtype, shape, data = found
    return bytes_to_numpy(data, DType(dtype), shape)


def _checked(concurrency: int) -> int:
    if concurrency < 1:
        raise of_kind("invalid_argument", f"concurrency must be at least 1, not {concurrency}")
    return concurrency


def _entries(entries: list[T | MithrilException], *, raising: bool) -> list[T | MithrilException]:
    if raising:
        for entry in entries:
            if isinstance(entry, Exception):
                raise entry
    return entries
