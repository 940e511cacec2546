"""Element types, and arrays as bytes."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import weakref
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as st_numpy

import mithril
from mithril import DType, TensorMeta, _native, bytes_to_numpy, numpy_to_bytes


def address_of(data: Any) -> int:
    address: int = np.frombuffer(memoryview(data), "uint8").__array_interface__["data"][0]
    return address


def test_the_types_are_those_of_the_engine() -> None:
    assert [(one.value, one.size_bytes) for one in DType] == _native.DTYPES


@pytest.mark.parametrize("dtype", DType)
def test_types_go_to_numpy_and_back(dtype: DType) -> None:
    assert dtype.numpy.name == dtype.value
    assert dtype.numpy.itemsize == dtype.size_bytes
    ways = [dtype.numpy, dtype.value, dtype.numpy.type, np.zeros(0, dtype.numpy).dtype, dtype]
    assert {DType.from_numpy(way) for way in ways} == {dtype}
    assert pickle.loads(pickle.dumps(dtype)) is dtype


@pytest.mark.parametrize(
    "code", ["<f4", "=f4", "f4", "float32", "f", np.float32, np.dtype("f4").str]
)
def test_every_way_to_write_a_type_is_understood(code: Any) -> None:
    assert DType.from_numpy(code) is DType.FLOAT32


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            ">f4",
            "complex64",
            "O",
            object,
            "U3",
            "V2",
            "M8[s]",
            [("a", "f4")],
            None,
            "nonsense",
            "",
        ),
        np.dtype(ml_dtypes.bfloat16).newbyteorder(">"),
        ml_dtypes.float8_e5m2,
    ],
)
def test_other_types_are_refused(wrong: Any) -> None:
    with pytest.raises(mithril.InvalidArgumentException):
        DType.from_numpy(wrong)


def test_a_tensor_is_described() -> None:
    meta = TensorMeta("weights", (3, 4), DType.BFLOAT16)
    assert (meta.shape, meta.dtype, meta.size_bytes) == ((3, 4), DType.BFLOAT16, 24)
    assert TensorMeta.of(np.zeros((3, 4), ml_dtypes.bfloat16), "weights") == meta
    assert TensorMeta("", (), DType.INT8).size_bytes == 1
    assert pickle.loads(pickle.dumps(meta)) == meta
    with pytest.raises(ValueError, match="negative"):
        TensorMeta("", (-1,), DType.INT8)


def test_arrays_that_nothing_can_change_are_not_copied() -> None:
    data = bytes(range(64)) * 64  # what is small is copied all the same, being quicker so
    arrays: list[Any] = [
        np.frombuffer(data, "uint16"),
        np.frombuffer(memoryview(data)[8:], "uint16").reshape(2, -1)[1:],
        np.frombuffer(memoryview(mithril.Bytes(data)), "float64")[2:].view("uint8"),
        bytes_to_numpy(data, "bfloat16", (4, 512))[2:],
        np.asarray(memoryview(memoryview(data))[3:]),
    ]
    for array in arrays:
        view = numpy_to_bytes(array)
        assert address_of(view) == array.__array_interface__["data"][0]
        assert view == array.tobytes()


def test_arrays_that_something_could_change_are_copied() -> None:
    own = np.arange(8, dtype="uint8")
    read_only = own.view()
    read_only.setflags(write=False)
    frozen = np.arange(8, dtype="uint8")
    frozen.setflags(write=False)
    arrays: list[Any] = [
        own,
        read_only,
        frozen,
        np.frombuffer(bytearray(range(8)), "uint8"),
        np.asarray(memoryview(bytearray(range(8))).toreadonly()),
        np.frombuffer(bytes(range(16)), "uint8")[::2],
    ]
    for array in arrays:
        expected = array.tobytes()
        data = numpy_to_bytes(array)
        assert address_of(data) != array.__array_interface__["data"][0]
        if array.flags.owndata:
            array.setflags(write=True)
            array[:] = 0
        assert data == expected


def test_views_keep_what_they_show_alive() -> None:
    data = mithril.Bytes(b"some text")
    alive = weakref.ref(data)
    array = bytes_to_numpy(data, "uint8")
    del data
    gc.collect()
    assert alive() is not None
    view = numpy_to_bytes(array)
    del array
    gc.collect()
    assert view == b"some text"


def test_a_number_of_numpy_and_wrong_things_are_no_arrays() -> None:
    for wrong in ([1, 2], b"text", 7, np.float32(1)):
        with pytest.raises(TypeError, match="numpy array"):
            numpy_to_bytes(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Python objects"):
        numpy_to_bytes(np.array([None]))
    with pytest.raises(ValueError, match="byte order"):
        numpy_to_bytes(np.array([1], ">i4"))
    assert numpy_to_bytes(np.array(7, "uint8")) == b"\x07"
    assert numpy_to_bytes(np.zeros((0, 3))) == b""
    assert numpy_to_bytes(np.array([1], ml_dtypes.bfloat16)) == b"\x80\x3f"


def test_bytes_become_arrays_where_they_are() -> None:
    for data in (bytes(range(8)), mithril.Bytes(bytes(range(8)))):
        array = bytes_to_numpy(data, DType.UINT16, (2, -1))
        assert array.__array_interface__["data"][0] == address_of(data)
        assert array.shape == (2, 2)
        assert not array.flags.writeable
    changing = bytearray(range(8))
    array = bytes_to_numpy(changing, "uint8")
    changing[0] = 7
    assert array[0] == 0
    assert bytes_to_numpy(b"", "float32", (0, 3)).shape == (0, 3)
    assert not bytes_to_numpy(b"", "float32").flags.writeable
    assert bytes_to_numpy(b"\x80\x3f", "bfloat16").tolist() == [1.0]
    assert bytes_to_numpy(b"\x01\x02", np.dtype(">u2")).tolist() == [258]
    assert bytes_to_numpy(b"\x07", "uint8", ()).item() == 7


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((b"123", "uint16"), ValueError, "3 bytes are no whole number of uint16"),
        ((b"1234", "uint16", (3,)), ValueError, "shape"),
        ((b"1234", "uint16", (-1, -1)), ValueError, "shape"),
        ((b"1234", "uint16", "ab"), ValueError, "shape"),
        ((b"1234", "nonsense"), ValueError, "nonsense"),
        ((b"1234", "O"), TypeError, "no bytes"),
        ((b"1234", "V0"), TypeError, "no bytes"),
        (("1234", "uint8"), TypeError, "not str"),
        ((7, "uint8"), TypeError, "buffer protocol"),
    ],
)
def test_bytes_that_make_no_array_are_refused(arguments: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        bytes_to_numpy(*arguments)


@given(st_numpy.arrays(st_numpy.integer_dtypes(endianness="="), st_numpy.array_shapes()))
def test_arrays_come_back(array: Any) -> None:
    data = numpy_to_bytes(array)
    assert data == array.tobytes()
    assert np.array_equal(bytes_to_numpy(data, array.dtype, array.shape), array)


OPTIONAL = ["tqdm", "ml_dtypes", "pandas", "pyarrow", "polars", "torch", "IPython", "fsspec"]


def test_importing_the_package_imports_no_optional_one_and_nothing_slow() -> None:
    slow = ["numpy", "asyncio", "multiprocessing"]
    program = f"""
import sys, mithril
print(*[name for name in {[*OPTIONAL, *slow]} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == []


def test_what_needs_an_optional_package_says_so() -> None:
    program = """
import sys
sys.modules["ml_dtypes"] = None
import mithril
try:
    mithril.bytes_to_numpy(b"12", "bfloat16")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b"bfloat16 need the package ml_dtypes" in done.stdout
