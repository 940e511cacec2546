"""Arrays that come back, their format to the byte, and hostile ones."""

from __future__ import annotations

import asyncio
import builtins
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mithril
from mithril.compression import arrays

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]


def header(code: int, *shape: int, magic: bytes = b"\x93MTN", version: int = 1) -> bytes:
    def number(value: int) -> bytes:
        parts = []
        while value > 127:
            parts.append(value & 127 | 128)
            value >>= 7
        return bytes([*parts, value])

    return magic + bytes([version, code, len(shape)]) + b"".join(map(number, shape))


def frame(content: bytes) -> bytes:
    return bytes(mithril.AdaptiveCompressor().compress(content))


@given(
    hnp.arrays(
        st.sampled_from([name for name in DTYPES if name != "bfloat16"]).map(np.dtype),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
)
def test_arrays_come_back_as_they_were(array: np.ndarray[Any, Any]) -> None:
    back = mithril.decompress_array(mithril.compress_array(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


def test_bfloat16_comes_back_with_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(1).normal(size=(3, 50_000)).astype(ml_dtypes.bfloat16)
    data = mithril.compress_array(array)
    assert len(data) < 0.75 * array.nbytes
    back = mithril.decompress_array(data)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()

    def without(name: str, *rest: Any) -> Any:
        if name == "ml_dtypes":
            raise ImportError(name)
        return original(name, *rest)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="install"):
        mithril.decompress_array(data)


def test_order_in_memory_does_not_matter() -> None:
    array = np.arange(24, dtype="int32").reshape(4, 6)
    for view in (array.T, array[:, ::2], array[::-1], np.asfortranarray(array)):
        assert (mithril.decompress_array(mithril.compress_array(view)) == view).all()
    big = array.astype(">i4")
    back = mithril.decompress_array(mithril.compress_array(big))
    assert back.dtype == np.dtype("int32")
    assert (back == big).all()
    assert mithril.decompress_array(mithril.compress_array([[1, 2], [3, 4]])).sum() == 10
    assert mithril.decompress_array(mithril.compress_array(np.float32(7))) == 7


def test_large_arrays_come_back_from_all_threads() -> None:
    draw = np.random.default_rng(2)
    weights = draw.normal(0, 0.02, 9_000_001).astype("float32")
    weights[1_000_000:3_000_000] = 0
    weights[5_000_000:5_500_000] = draw.integers(0, 2**32, 500_000, "uint32").view("float32")
    data = mithril.compress_array(weights)
    assert mithril.decompress_array(data).tobytes() == weights.tobytes()
    start = header(12, 9_000_001)
    frame_alone = mithril.AdaptiveCompressor("float32").compress(weights)
    assert bytes(data) == start + bytes(frame_alone)


def test_coroutines_do_the_same() -> None:
    async def main() -> None:
        array = np.arange(100_000)
        data = await mithril.compress_array_async(array)
        assert data == mithril.compress_array(array)
        assert (await mithril.decompress_array_async(data) == array).all()

    asyncio.run(main())


def test_the_format_is_what_its_page_says() -> None:
    page = (Path(__file__).parents[1] / "docs" / "arrays.md").read_text(encoding="utf-8")
    example = page.partition("## An example")[2].partition("```text")[2].partition("```")[0]
    expected = bytes.fromhex("".join(line.partition("   ")[0] for line in example.splitlines()))
    array = np.array([[1, 2, 3], [4, 5, 6]], "uint8")
    assert mithril.compress_array(array) == expected
    assert (mithril.decompress_array(expected) == array).all()
    for code, name in enumerate(DTYPES, 1):
        dtype = np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
        data = mithril.compress_array(np.zeros((300, 2), dtype))
        start = header(code, 300, 2)
        assert data[: len(start)] == start
        built = start + frame(bytes(600 * dtype.itemsize))
        assert mithril.decompress_array(built).dtype == dtype
    scalar = header(6) + frame(b"\x07")
    assert mithril.decompress_array(scalar) == 7


HOSTILE = [
    (b"", "ends inside"),
    (header(6, 4)[:-1], "ends inside"),
    (header(6, 4), "ends inside"),
    (header(6, 4) + frame(b"abcd")[:-1], "ends inside"),
    (header(6, 4, magic=b"\x93MTX") + frame(b"abcd"), "begins so"),
    (header(6, 4, version=2) + frame(b"abcd"), "version 2"),
    (header(0, 4) + frame(b"abcd"), "type 0"),
    (header(14, 4) + frame(b"abcd"), "type 14"),
    (header(6, *[1] * 65) + frame(b"a"), "65 dimensions"),
    (header(6, 5) + frame(b"abcd"), "has 5 bytes, and there are 4"),
    (header(6, 3) + frame(b"abcd"), "there are more"),
    (header(6, 0) + frame(b"abcd"), "there are more"),
    (header(7, 3) + frame(b"abcd"), "has 6 bytes, and there are 4"),
    (header(6, 4) + frame(b"abcd") + b"more", "begins so"),
    (header(13, 1 << 32, 1 << 32), "shape"),
    (header(13, 1 << 60), "shape"),
    (header(6, 1 << 62, 0, 1 << 62), "shape"),
    (b"\x93MTN\x01\x06\x01" + b"\xff" * 10, "64 bits"),
    (header(1, 2) + frame(b"\x01\x02"), "neither 0 nor 1"),
    (header(6, 1 << 40) + frame(b"abcd"), "limit"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_hostile_arrays_are_errors(data: bytes, message: str) -> None:
    with pytest.raises(mithril.CompressionException, match=message):
        mithril.decompress_array(data)
    with pytest.raises(mithril.CompressionException):
        mithril.decompress_array(data, max_output_size=1 << 62)


@given(st.data())
def test_damaged_arrays_are_errors_or_whole(data: st.DataObject) -> None:
    good = bytes(mithril.compress_array(np.arange(500, dtype="int16").reshape(5, 100)))
    at = data.draw(st.integers(0, len(good) - 1))
    damaged = bytearray(good)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        back = mithril.decompress_array(damaged, max_output_size=1 << 20)
    except mithril.CompressionException:
        return
    # Only the header's type and shape have no checksum.
    assert back.nbytes == 1000
    assert at < 10


def test_limits_and_wrong_types() -> None:
    data = mithril.compress_array(np.zeros(1000))
    with pytest.raises(mithril.CompressionException) as problem:
        mithril.decompress_array(data, max_output_size=7999)
    assert problem.value.kind == "output_too_large"
    assert mithril.decompress_array(data, max_output_size=8000).shape == (1000,)
    for wrong in (np.zeros(3, "complex64"), np.array(["a"]), np.array(["2026"], "M8[D]")):
        with pytest.raises(ValueError, match="known are"):
            mithril.compress_array(wrong)
    with pytest.raises((TypeError, ValueError)):
        mithril.compress_array(np.array([object()]))
    assert arrays.compress_array is mithril.compress_array
