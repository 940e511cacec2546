"""The compressors: one interface, three classes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mithril import _native
from mithril._native import Bytes
from mithril.compression.file import CompressWriter, DecompressReader
from mithril.operation import run
from mithril.options import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from mithril.buffer import BytesLike
    from mithril.compression.file import Readable, Writable

Level: TypeAlias = "Literal['fastest', 'fast', 'default', 'best'] | int"
"""How much time to spend for fewer bytes: by name, or the codec's own number, moved into the range
that it has (zstd: -131072 to 22)."""


class Compressor:
    """What makes bytes smaller, and brings them back.

    Input is anything with the buffer protocol, numpy arrays of any element type included (in C
    order). What another thread could write to is copied first; `bytes` and `mithril.Bytes` are not.
    The GIL is released meanwhile, and each ``x_async`` is a coroutine that does what ``x`` does on
    another thread; cancelling its task gives the work up. Ctrl-C does the same to ``x``.

    A compressor can be used from any number of threads, and in a forked child. Pickled, it is its
    settings. Those that were made with equal settings are equal.

    Raises:
        CompressionException: The data is cut, damaged, followed by something else, or larger than
            allowed; `kind` says which (``"truncated"``, ``"checksum_mismatch"``,
            ``"output_too_large"``, ...).
        InvalidArgumentException: A setting makes no sense; also a ValueError.
    """

    __slots__ = ("__weakref__", "_config", "_dictionary", "_native")
    _config: dict[str, Any]
    _dictionary: Bytes | None
    _native: _native.Compressor

    def _make(self, config: dict[str, Any], dictionary: Bytes | None = None) -> None:
        self._config = config
        self._dictionary = dictionary
        self._native = _native.Compressor(encode(**config), dictionary)

    @property
    def name(self) -> str:
        """The name of the compressor: "zstd", "lz4" or "adaptive"."""
        return self._native.name

    def compress(self, data: BytesLike) -> Bytes:
        """Compress data into one frame.

        Args:
            data: Anything with the buffer protocol.

        Returns:
            The frame.
        """
        return self._native.compress(data).wait()

    async def compress_async(self, data: BytesLike) -> Bytes:
        """Compress data into one frame; see `compress`."""
        return await run(self._native.compress(data))

    def decompress(self, data: BytesLike, *, max_output_size: int | None = None) -> Bytes:
        """Bring back the content of all frames in data.

        Args:
            data: One frame, or several one after the other.
            max_output_size: The most bytes that may come out, for this call in place of the
                compressor's own limit.

        Returns:
            The content.

        Raises:
            CompressionException: The data is cut, damaged, followed by something else, or larger
                than allowed.
        """
        return self._native.decompress(data, max_output_size).wait()

    async def decompress_async(
        self, data: BytesLike, *, max_output_size: int | None = None
    ) -> Bytes:
        """Bring back the content of all frames in data; see `decompress`."""
        return await run(self._native.decompress(data, max_output_size))

    def compress_many(self, items: Iterable[BytesLike]) -> list[Bytes]:
        """Compress each of many data into a frame of its own, on all cores.

        Args:
            items: The data.

        Returns:
            The frames, in their order.
        """
        return self._native.compress_many(list(items)).wait()

    async def compress_many_async(self, items: Iterable[BytesLike]) -> list[Bytes]:
        """Compress each of many data into a frame of its own; see `compress_many`."""
        return await run(self._native.compress_many(list(items)))

    def decompress_many(
        self, items: Iterable[BytesLike], *, max_output_size: int | None = None
    ) -> list[Bytes]:
        """Bring back each of many compressed data, on all cores.

        Args:
            items: The compressed data.
            max_output_size: The most bytes that may come out of one.

        Returns:
            The contents, in their order.

        Raises:
            CompressionException: One cannot be brought back; a note says which.
        """
        return self._native.decompress_many(list(items), max_output_size).wait()

    async def decompress_many_async(
        self, items: Iterable[BytesLike], *, max_output_size: int | None = None
    ) -> list[Bytes]:
        """Bring back each of many compressed data; see `decompress_many`."""
        return await run(self._native.decompress_many(list(items), max_output_size))

    def estimate_ratio(self, sample: BytesLike) -> float:
        """Estimate how many times smaller data like a sample becomes.

        Args:
            sample: Some of the data; of a long one 256 KiB are compressed.

        Returns:
            Its size divided by its compressed size; 1 for an empty one.
        """
        return self._native.estimate_ratio(sample)

    def open_writer(self, file: Writable, *, close_file: bool = False) -> CompressWriter:
        """Open a file that compresses what is written to it into another.

        Memory does not grow with the data. The frame ends when the file is closed.

        Args:
            file: Any file object open for writing bytes, as one of `Storage.open`.
            close_file: Whether closing the writer closes `file` too.

        Returns:
            A file object, for whatever writes files.

        Example:
            >>> import io
            >>> import mithril
            >>> zstd, out = mithril.ZstdCompressor(), io.BytesIO()
            >>> with zstd.open_writer(out) as file:
            ...     size = file.write(b"in pieces, ") + file.write(b"one by one")
            >>> zstd.decompress(out.getvalue())
            Bytes(b'in pieces, one by one')
        """
        return CompressWriter(self._native.encoder(), file, close_file=close_file)

    def open_reader(self, file: Readable, *, close_file: bool = False) -> io.BufferedReader:
        r"""Open a file that reads what another one holds compressed.

        Memory does not grow with the data. A checksum stands at the end of what it covers: bytes of
        a damaged frame may be read before the exception comes.

        Args:
            file: Any file object open for reading bytes; it is read ahead, and to its end.
            close_file: Whether closing the reader closes `file` too.

        Returns:
            A file object with a buffer, for whatever reads files from their beginning to their end.

        Example:
            >>> import io
            >>> import mithril
            >>> zstd = mithril.ZstdCompressor()
            >>> frame = zstd.compress(b"one\ntwo\n")
            >>> with zstd.open_reader(io.BytesIO(frame)) as file:
            ...     [line.decode() for line in file]
            ['one\n', 'two\n']
        """
        raw = DecompressReader(self._native.decoder(file), file, close_file=close_file)
        return io.BufferedReader(raw, 1 << 17)

    def __getstate__(self) -> tuple[dict[str, Any], bytes | None]:
        """Return the settings."""
        return self._config, None if self._dictionary is None else bytes(self._dictionary)

    def __setstate__(self, state: tuple[dict[str, Any], bytes | None]) -> None:
        """Make the compressor of some settings."""
        config, dictionary = state
        self._make(config, None if dictionary is None else Bytes(dictionary))

    def __eq__(self, other: object) -> bool:
        """Tell whether the two have the same settings."""
        if not isinstance(other, Compressor):
            return NotImplemented
        return self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        """Hash the settings."""
        return hash((encode(**self._config), self._dictionary))

    def __repr__(self) -> str:
        """Name the class and the settings that were given."""
        given = [f"{name}={value!r}" for name, value in self._config.items() if name != "kind"]
        if self._dictionary is not None:
            given.append(f"dictionary=<{len(self._dictionary)} bytes>")
        return f"{type(self).__name__}({', '.join(given)})"


class ZstdCompressor(Compressor):
    """Writes zstd frames, and reads those of the command ``zstd`` and of all other packages.

    Args:
        level: "fastest", "fast", "default" and "best" are zstd's 1, 2, 3 and 19; or its number,
            from -131072 to 22.
        dictionary: For many small objects that are alike: one of `train_dictionary` or of
            ``zstd --train``, or any bytes that resemble them. Whoever decompresses needs the same.
        checksum: Whether frames carry a checksum; one that is there is always verified.
        max_output_size: The most bytes that decompressing gives: 4 GiB in memory and no limit for
            files if None.
        max_window_log: Frames that need a window of up to 2 to this power are read, from 10 to 31:
            the memory that a stream may take; 27, as for the command ``zstd``, if None.

    Raises:
        CompressionException: The dictionary begins as a trained one and cannot be read.
        InvalidArgumentException: There is no such level; also a ValueError.

    Example:
        >>> zstd = ZstdCompressor("best")
        >>> frame = zstd.compress(b"the quick brown fox " * 100)
        >>> len(frame) < 100
        True
        >>> zstd.decompress(frame) == b"the quick brown fox " * 100
        True
    """

    __slots__ = ()

    def __init__(
        self,
        level: Level = "default",
        *,
        dictionary: BytesLike | None = None,
        checksum: bool = True,
        max_output_size: int | None = None,
        max_window_log: int | None = None,
    ) -> None:
        """Make the compressor; see the class."""
        config = {
            "kind": "zstd",
            "level": level,
            "checksum": checksum,
            "max_output_size": max_output_size,
            "max_window_log": max_window_log,
        }
        self._make(config, None if dictionary is None else Bytes(dictionary))

    @property
    def dictionary_id(self) -> int | None:
        """The identifier of the dictionary, which frames carry; None for one without."""
        return self._native.dictionary_id

    @staticmethod
    def train_dictionary(samples: Iterable[BytesLike], max_size: int = 112_640) -> Bytes:
        """Make a dictionary from samples of what will be compressed.

        zstd advises samples of a hundred times the dictionary's size in all.

        Args:
            samples: Objects as they will be compressed, some dozens at least.
            max_size: The most bytes that the dictionary may have.

        Returns:
            The dictionary.

        Raises:
            CompressionException: The samples are too few or too much alike, or `max_size` is below
                256.

        Example:
            >>> samples = [f'{{"id": {i}, "language": "en"}}'.encode() for i in range(2000)]
            >>> dictionary = ZstdCompressor.train_dictionary(samples, 1024)
            >>> zstd = ZstdCompressor(dictionary=dictionary)
            >>> len(zstd.compress(samples[7])) < len(ZstdCompressor().compress(samples[7]))
            True
        """
        return _native.Compressor.train_dictionary(list(samples), max_size).wait()


class Lz4Compressor(Compressor):
    """Writes LZ4 frames, and reads those of the command ``lz4``.

    Args:
        level: "fastest", "fast", "default" and "best" compress in blocks of 64 KiB, 256 KiB, 1 MiB
            and 4 MiB, as the numbers 0 to 3 do. There is one method, LZ4's fast one.
        checksum: Whether frames carry a checksum; one that is there is always verified.
        max_output_size: The most bytes that decompressing gives: 4 GiB in memory and no limit for
            files if None.

    Raises:
        InvalidArgumentException: There is no such level; also a ValueError.

    Example:
        >>> lz4 = Lz4Compressor()
        >>> lz4.decompress(lz4.compress(b"quick, quick, slow"))
        Bytes(b'quick, quick, slow')
    """

    __slots__ = ()

    def __init__(
        self,
        level: Level = "default",
        *,
        checksum: bool = True,
        max_output_size: int | None = None,
    ) -> None:
        """Make the compressor; see the class."""
        config = {
            "kind": "lz4",
            "level": level,
            "checksum": checksum,
            "max_output_size": max_output_size,
        }
        self._make(config)


class AdaptiveCompressor(Compressor):
    """Looks at the data and chooses, block by block, what makes it small in the least time.

    It chooses among raw bytes, LZ4 and zstd, each over the bytes as they are or grouped by their
    place in an element, and compresses large data on all cores. The frames are its own.

    Args:
        dtype: The type of the elements, as numpy names it, so that it need not be found by looking.
            Whoever decompresses need not know.
        max_output_size: The most bytes that decompressing gives: 4 GiB in memory and no limit for
            files if None.

    Raises:
        InvalidArgumentException: The type is not known; also a ValueError.

    Example:
        >>> import numpy as np
        >>> import numpy as np
        >>> weights = np.random.default_rng(1).normal(size=100_000).astype("float32")
        >>> adaptive = AdaptiveCompressor("float32")
        >>> frame = adaptive.compress(weights)
        >>> len(frame) < 0.9 * weights.nbytes
        True
        >>> bool((np.frombuffer(adaptive.decompress(frame), "float32") == weights).all())
        True
    """

    __slots__ = ()

    def __init__(
        self, dtype: npt.DTypeLike | None = None, *, max_output_size: int | None = None
    ) -> None:
        """Make the compressor; see the class."""
        name = None if dtype is None else _name_of(dtype)
        config = {"kind": "adaptive", "dtype": name, "max_output_size": max_output_size}
        self._make(config)


def _name_of(dtype: npt.DTypeLike) -> str:
    # bfloat16 has no name in numpy before ml_dtypes is imported, and the engine knows it.
    if isinstance(dtype, str):
        return dtype
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    return np.dtype(dtype).name
