"""Arrays that come back with their element type and their shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mithril import _native
from mithril.operation import run

if TYPE_CHECKING:
    import numpy.typing as npt

    from mithril._native import Bytes, Operation
    from mithril.buffer import BytesLike


def compress_array(array: npt.ArrayLike) -> Bytes:
    """Compress an array so that its element type and its shape come back with it.

    The bytes of floats are grouped by their place in an element, so that exponents stand together;
    what a sample shows decides how each group is coded. All cores compress large arrays. The
    format is documented in ``docs/arrays.md``.

    Args:
        array: A numpy array, or what `numpy.asarray` makes one of, of bool, integers, float16,
            bfloat16 (of the package `ml_dtypes`), float32 or float64. It is copied before it is
            compressed, since another thread could write to it. Whatever order its elements and
            their bytes have in memory, they come back in C order and least significant byte first.

    Returns:
        The compressed array.

    Raises:
        InvalidArgumentException: The elements are of another type; also a ValueError.

    Example:
        >>> import numpy as np
        >>> weights = np.linspace(-1, 1, 100_000, dtype="float32").reshape(100, 1000)
        >>> data = compress_array(weights)
        >>> len(data) < weights.nbytes
        True
        >>> back = decompress_array(data)
        >>> back.dtype, back.shape, bool((back == weights).all())
        (dtype('float32'), (100, 1000), True)
    """
    return _begin(array).wait()


async def compress_array_async(array: npt.ArrayLike) -> Bytes:
    """Compress an array; see `compress_array`."""
    return await run(_begin(array))


def decompress_array(data: BytesLike, *, max_output_size: int | None = None) -> npt.NDArray[Any]:
    """Bring a compressed array back.

    Args:
        data: What `compress_array` returned.
        max_output_size: The most bytes that the array may have: 4 GiB if None. A larger one is
            refused before any of it is decompressed.

    Returns:
        The array, which is writable and in the memory that it was decompressed into.

    Raises:
        CompressionException: The data is no compressed array, is cut or damaged, or the array is
            larger than allowed.
        ImportError: It is of bfloat16, and the package `ml_dtypes` is not installed.
    """
    return _native.decompress_array(data, max_output_size).wait()


async def decompress_array_async(
    data: BytesLike, *, max_output_size: int | None = None
) -> npt.NDArray[Any]:
    """Bring a compressed array back; see `decompress_array`."""
    return await run(_native.decompress_array(data, max_output_size))


def _begin(array: npt.ArrayLike) -> Operation[Bytes]:
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    plain = np.asarray(array)
    if not plain.dtype.isnative:
        plain = plain.astype(plain.dtype.newbyteorder("="))
    return _native.compress_array(plain, plain.dtype.name, list(plain.shape))
