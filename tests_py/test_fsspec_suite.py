"""fsspec's own suite for filesystems: over memory, over a folder, and over a server of S3."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import fsspec
import fsspec.tests.abstract as suite
import pytest

import mithril

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Moto


class Fixtures(suite.AbstractFixtures):  # type: ignore[misc] # fsspec has no types
    """What is alike for all stores: a folder is there while something is in it."""

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class Memory(Fixtures):
    @pytest.fixture
    def fs(self) -> Any:
        return fsspec.filesystem("mithril", store=mithril.MemoryStorage())

    @pytest.fixture
    def fs_path(self) -> str:
        return "below"


class Folder(Fixtures):
    @pytest.fixture
    def fs(self, tmp_path: Path) -> Any:
        return fsspec.filesystem("mithril", store=str(tmp_path / "store"))

    @pytest.fixture
    def fs_path(self) -> str:
        return "below"


class S3(Fixtures):
    @pytest.fixture
    def fs(self, moto: Moto) -> Any:
        return fsspec.filesystem("mithril+s3", **moto.options)

    @pytest.fixture
    def fs_path(self, moto: Moto) -> str:
        return moto.make_bucket()


class TestMemoryCopy(Memory, suite.AbstractCopyTests):  # type: ignore[misc]
    pass


class TestMemoryGet(Memory, suite.AbstractGetTests):  # type: ignore[misc]
    pass


class TestMemoryPut(Memory, suite.AbstractPutTests):  # type: ignore[misc]
    pass


class TestMemoryOpen(Memory, suite.AbstractOpenTests):  # type: ignore[misc]
    pass


class TestMemoryPipe(Memory, suite.AbstractPipeTests):  # type: ignore[misc]
    pass


class TestFolderCopy(Folder, suite.AbstractCopyTests):  # type: ignore[misc]
    pass


class TestFolderGet(Folder, suite.AbstractGetTests):  # type: ignore[misc]
    pass


class TestFolderPut(Folder, suite.AbstractPutTests):  # type: ignore[misc]
    pass


class TestFolderOpen(Folder, suite.AbstractOpenTests):  # type: ignore[misc]
    pass


class TestFolderPipe(Folder, suite.AbstractPipeTests):  # type: ignore[misc]
    pass


class TestS3Copy(S3, suite.AbstractCopyTests):  # type: ignore[misc]
    pass


class TestS3Get(S3, suite.AbstractGetTests):  # type: ignore[misc]
    pass


class TestS3Put(S3, suite.AbstractPutTests):  # type: ignore[misc]
    pass


class TestS3Open(S3, suite.AbstractOpenTests):  # type: ignore[misc]
    pass


class TestS3Pipe(S3, suite.AbstractPipeTests):  # type: ignore[misc]
    pass


def test_no_part_of_the_suite_is_left_out() -> None:
    theirs = {value for name, value in vars(suite).items() if name.endswith("Tests")}
    for store in ("Memory", "Folder", "S3"):
        ours: list[Any] = [
            value for name, value in globals().items() if name.startswith(f"Test{store}")
        ]
        assert {base for one in ours for base in inspect.getmro(one)} >= theirs
