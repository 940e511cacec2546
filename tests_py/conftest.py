"""Real text that every machine with Python has, and a server of S3."""

from __future__ import annotations

import signal
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import Moto, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure() -> None:
    """Lets Ctrl-C through: a shell starts what runs in its background with the signal ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def library_files() -> list[str]:
    """The source files of Python's standard library, in the order of their paths."""
    folder = Path(sysconfig.get_path("stdlib"))
    texts = []
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    return texts


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """moto's server of S3, which the tests share."""
    with moto_server() as server:
        yield server


@pytest.fixture(name="bucket")
def _bucket(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the name of a bucket that URLs lead to."""
    for name, value in (
        ("AWS_ENDPOINT_URL", moto.endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", moto.options["access_key_id"]),
        ("AWS_SECRET_ACCESS_KEY", moto.options["secret_access_key"]),
    ):
        monkeypatch.setenv(name, value)
    return moto.make_bucket()
