"""The helpers of `mithril_core::python`, used from an extension module of another project."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of `tests_rs/extension`, which `make extension` has built."""
    module = tmp_path_factory.mktemp("extension") / "mithril_extension.so"
    library = ROOT / "target" / "release" / "libmithril_extension.so"
    assert library.exists(), "run make extension"
    shutil.copy(library, module)
    spec = importlib.util.spec_from_file_location("mithril_extension", module)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


DTYPES = ["float32", "float16", "float64", "bool"] + [
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
]


@pytest.mark.parametrize("name", DTYPES)
def test_bytes_go_and_come_back_as_the_same_elements(extension: Any, name: str) -> None:
    array = np.arange(100).astype(name)
    back = extension.round_trip(array, name)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_only_what_is_not_contiguous_is_copied(extension: Any) -> None:
    array = np.arange(24, dtype="int32").reshape(4, 6)
    assert not extension.is_copied(array)
    for view in (array.T, array[:, ::2], array[::-1]):
        assert extension.is_copied(view)
        assert extension.blake3(view) == extension.blake3(view.copy())
    for shape in [(), (0,), (3, 0, 2)]:
        assert len(extension.blake3(np.zeros(shape))) == 64
    readonly = np.arange(5)
    readonly.flags.writeable = False
    assert not extension.is_copied(readonly)


def test_what_has_no_bytes_of_its_own_is_refused(extension: Any) -> None:
    with pytest.raises(TypeError, match="numpy array"):
        extension.blake3([1, 2, 3])
    with pytest.raises(TypeError, match="Python objects"):
        extension.blake3(np.array([object()]))
    with pytest.raises(ValueError, match="byte order"):
        extension.blake3(np.arange(3, dtype=np.dtype("int32").newbyteorder()))
    with pytest.raises(ValueError, match="7 bytes are no whole number"):
        extension.from_bytes(b"1234567", "float32")


def test_exceptions_are_also_those_that_python_people_catch(extension: Any, tmp_path: Path) -> None:
    with pytest.raises(extension.StorageException, match="missing") as missing:
        extension.get(str(tmp_path), "missing")
    assert isinstance(missing.value, FileNotFoundError)
    assert isinstance(missing.value, extension.MithrilException)
    with pytest.raises(extension.StorageException) as key:
        extension.get(str(tmp_path), "../outside")
    assert isinstance(key.value, ValueError)
    with pytest.raises(extension.CasException) as content:
        extension.retrieve(str(tmp_path), "0" * 64)
    assert isinstance(content.value, FileNotFoundError)
    with pytest.raises(extension.CompressionException):
        extension.decompress(b"no frame")
    with pytest.raises(extension.MithrilException, match="what is wrong") as argument:
        extension.invalid_argument()
    assert isinstance(argument.value, ValueError)


def test_waiting_lets_other_threads_run_and_works_inside_an_event_loop(extension: Any) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()

    async def within() -> None:
        extension.sleep(0.2)

    asyncio.run(within())
    done.set()
    thread.join()
    assert counted > 20


def test_ctrl_c_ends_the_waiting(extension: Any) -> None:
    timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        extension.sleep(60)
    timer.join()
