"""moto's server of S3 on the loopback interface, in a process that does not outlive the tests."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUPERVISOR = Path(__file__).parent.parent / "tests_rs" / "servers" / "supervise.py"
_STARTS_WITHIN = 60.0
_LOOKED_AT_EVERY = 0.02
PAGE = 100
"""How many keys a page of a listing has."""
KEY_ID = "AKIDEXAMPLE"
SECRET = "hush-hush-hush"  # noqa: S105 - moto looks at no secret


@dataclass
class Moto:
    """A server that answers; it does not look at signatures."""

    port: int
    _buckets: Iterator[int] = field(default_factory=itertools.count)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What `mithril.S3Storage` and ``mithril+s3://`` need to get here."""
        return {
            "endpoint": self.endpoint,
            "allow_http": True,
            "region": "us-east-1",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        }

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def make_bucket(self, name: str | None = None) -> str:
        """Make a bucket, one that nobody else has unless it is named."""
        bucket = name or f"bucket-{next(self._buckets)}"
        status, body = self.request("PUT", f"/{bucket}")
        assert status == 200, body
        return bucket

    def open_uploads(self, bucket: str) -> int:
        status, body = self.request("GET", f"/{bucket}?uploads")
        assert status == 200, body
        return body.count(b"<UploadId>")


@contextlib.contextmanager
def moto_server() -> Iterator[Moto]:
    """Start a server at a free port, and stop it in the end."""
    folder = tempfile.mkdtemp(prefix="mithril-server-")
    server = Moto(free_port())
    tool = str(Path(sys.executable).with_name("moto_server"))
    command = [tool, "-H", "127.0.0.1", f"-p{server.port}"]
    # The supervisor ends it when its input does, which is at the latest when this process ends.
    supervisor = subprocess.Popen(
        [sys.executable, _SUPERVISOR, folder, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # Listings come in pages long before there are the thousand keys of S3's.
        env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
    )
    try:
        _wait_for(server, Path(folder))
        yield server
    finally:
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        supervisor.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Find a port of the loopback interface that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _wait_for(server: Moto, folder: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            server.request("GET", "/moto-api/")
        except OSError:
            if time.monotonic() > end:
                log = (folder / "server.log").read_text(errors="replace")
                raise AssertionError(f"moto did not answer. It said:\n{log[-4000:]}") from None
            time.sleep(_LOOKED_AT_EVERY)
        else:
            return
