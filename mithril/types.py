"""Element types of arrays, and arrays as bytes.

>>> import numpy as np
>>> import mithril
>>> data = mithril.numpy_to_bytes(np.arange(3, dtype="int16"))
>>> mithril.bytes_to_numpy(data, "int16")
array([0, 1, 2], dtype=int16)
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mithril import _native
from mithril.exceptions import of_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    import numpy as np
    import numpy.typing as npt

    from mithril._native import Bytes
    from mithril.buffer import BytesLike

    DTypeLike: TypeAlias = "DType | npt.DTypeLike"

_SIZES: dict[str, int] = dict(_native.DTYPES)


class DType(enum.StrEnum):
    """The type of an element of an array; its value is numpy's name for it.

    Example:
        >>> DType.from_numpy("<f4")
        <DType.FLOAT32: 'float32'>
        >>> DType("bfloat16").size_bytes
        2
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT64 = "float64"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    BOOL = "bool"

    @classmethod
    def from_numpy(cls, dtype: npt.DTypeLike) -> DType:
        """Return the type that numpy writes so.

        Args:
            dtype: Whatever numpy takes for a type: ``np.float32``, ``"<f4"``, an array's ``dtype``,
                ``ml_dtypes.bfloat16``, and ``"bfloat16"`` too.

        Returns:
            The type.

        Raises:
            InvalidArgumentException: It is none of these types, or of the byte order of other
                machines; also a ValueError.

        Example:
            >>> import numpy as np
            >>> DType.from_numpy(np.zeros(2, "uint8").dtype)
            <DType.UINT8: 'uint8'>
        """
        name = _native.parse_dtype(dtype) if isinstance(dtype, str) else None
        if name is None:
            name = _name_of(_numpy_dtype(dtype))
        return cls(name)

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type as numpy's.

        Raises:
            ImportError: `BFLOAT16` is a type of the package ml_dtypes, which is not installed.
        """
        import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

        if self is DType.BFLOAT16:
            try:
                import ml_dtypes  # noqa: PLC0415 - an optional package
            except ImportError as error:
                raise ImportError("arrays of bfloat16 need the package ml_dtypes") from error
            bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
            return bfloat16
        return np.dtype(self.value)

    @property
    def size_bytes(self) -> int:
        """The bytes of one element."""
        return _SIZES[self.value]


@dataclass(frozen=True)
class TensorMeta:
    """What is known of a tensor without its data.

    Attributes:
        name: The tensor's name.
        shape: The length of each dimension.
        dtype: The type of an element.
        size_bytes: The bytes of the data.

    Raises:
        InvalidArgumentException: A length is negative, or the type is none; also a ValueError.

    Example:
        >>> TensorMeta("weights", (3, 4), DType.FLOAT32).size_bytes
        48
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        """Take what numpy takes for shape and type, and compute the size."""
        shape = tuple(int(length) for length in self.shape)
        if any(length < 0 for length in shape):
            raise of_kind("invalid_argument", f"shape must not be negative, as {shape} is")
        dtype = DType.from_numpy(self.dtype)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "size_bytes", math.prod(shape) * dtype.size_bytes)

    @classmethod
    def of(cls, array: npt.NDArray[Any], name: str = "") -> TensorMeta:
        """Describe an array.

        Args:
            array: The array.
            name: The tensor's name.

        Returns:
            What is known of it.

        Raises:
            InvalidArgumentException: Its elements are of no `DType`; also a ValueError.

        Example:
            >>> import numpy as np
            >>> TensorMeta.of(np.zeros((2, 3), "float16")).shape
            (2, 3)
        """
        return cls(name, array.shape, DType.from_numpy(array.dtype))


def numpy_to_bytes(array: npt.NDArray[Any]) -> Bytes:
    r"""Return the bytes of an array in C order.

    Nothing is copied if nothing can write to the array: it lies in C order in the memory of `bytes`
    or of `mithril.Bytes`, as what `bytes_to_numpy` gives and views of that do. Any other array is
    copied, a read-only one too: who owns its memory may make it writable again.

    Args:
        array: An array of any shape and element type but Python objects.

    Returns:
        The bytes.

    Raises:
        TypeError: It is no array, or holds Python objects.
        InvalidArgumentException: Its elements are of the byte order of other machines; also a
            ValueError.

    Example:
        >>> import numpy as np
        >>> numpy_to_bytes(np.array([1, 2], dtype="uint8"))
        Bytes(b'\x01\x02')
    """
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    if not isinstance(array, np.ndarray):
        raise TypeError(f"a numpy array is needed, not {type(array).__name__}")
    if not array.dtype.isnative:
        raise of_kind("invalid_argument", _other_order(array.dtype))
    return _native.Bytes(array)


def bytes_to_numpy(
    data: BytesLike, dtype: DTypeLike, shape: int | Sequence[int] | None = None
) -> npt.NDArray[Any]:
    r"""Return an array over the memory of bytes.

    Args:
        data: The bytes, in C order. `mithril.Bytes` and `bytes` are not copied; what could be
            written to is.
        dtype: The type of an element: a `DType`, or whatever numpy takes for a type.
        shape: The lengths of the dimensions, of which one may be -1; one dimension with all
            elements if None.

    Returns:
        The array, read-only.

    Raises:
        InvalidArgumentException: The bytes are no whole number of elements, or do not have the
            shape; also a ValueError.
        TypeError: `data` holds no bytes, or an element of `dtype` is a Python object.
        ImportError: The type is bfloat16, and the package ml_dtypes is not installed.

    Example:
        >>> bytes_to_numpy(b"\x01\x00\x02\x00", "uint16", (2, 1))
        array([[1],
               [2]], dtype=uint16)
    """
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    kind = dtype.numpy if isinstance(dtype, DType) else _numpy_dtype(dtype)
    if kind.hasobject or kind.itemsize == 0:
        raise TypeError(f"elements of {kind} have no bytes")
    if not isinstance(data, (bytes, _native.Bytes)):
        data = _native.Bytes(data)
    if len(data) % kind.itemsize:
        message = f"{len(data)} bytes are no whole number of {kind} elements of {kind.itemsize}"
        raise of_kind("invalid_argument", f"{message} bytes")
    # numpy.frombuffer refuses an empty buffer.
    array = np.frombuffer(memoryview(data), kind) if len(data) else _empty(kind)
    if shape is None:
        return array
    try:
        return array.reshape(shape)
    except (TypeError, ValueError) as error:
        raise of_kind("invalid_argument", f"shape {shape}: {error}") from error


def _empty(dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    array = np.empty(0, dtype)
    array.setflags(write=False)
    return array


def _numpy_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    import numpy as np  # noqa: PLC0415 - an import of mithril need not wait for numpy

    if dtype is None:
        # For numpy that is float64, which nobody means here.
        raise of_kind("invalid_argument", "None is no type of elements")
    if isinstance(dtype, str) and dtype == DType.BFLOAT16:
        return DType.BFLOAT16.numpy
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise of_kind("invalid_argument", f"{dtype!r} is no type of elements: {error}") from error


def _name_of(dtype: np.dtype[Any]) -> str:
    if not dtype.isnative:
        raise of_kind("invalid_argument", _other_order(dtype))
    # The code of a type that numpy does not know, such as bfloat16, says nothing but its size.
    name = _native.parse_dtype(dtype.name if dtype.kind == "V" else dtype.str)
    if name is None:
        known = ", ".join(_SIZES)
        raise of_kind("invalid_argument", f"{dtype} is none of the types {known}")
    return name


def _other_order(dtype: np.dtype[Any]) -> str:
    native = dtype.newbyteorder("=")
    return f"{dtype!r} has the byte order of other machines: pass array.astype({native.str!r})"
