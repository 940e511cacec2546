"""Ctrl-C and cancellation: what is asked to stop stops, and leaves nothing half-written."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import LIMIT, line, started

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def silent_server() -> Iterator[tuple[socket.socket, str]]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}"


STALLED = """
    import sys
    import mithril

    store = mithril.S3Storage("bucket", endpoint=sys.argv[1], allow_http=True, region="us-east-1",
                              access_key_id="id", secret_access_key="secret")
    print("ready", flush=True)
    try:
        {call}
    except KeyboardInterrupt:
        import threading
        assert threading.current_thread() is threading.main_thread()
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "store.get('key')",
        "store.get_many(['one', 'two'])",
        "store.put('key', b'x' * 100)",
        "store.list()",
        "list(store.get_stream('key'))",
        "store.put('key', (b'x' * 10_000_000 for _ in range(100)))",
        "store.open('key')",
        "mithril.ContentAddressedStore(store).store(b'x' * 100)",
        "mithril.ContentAddressedStore(store).retrieve('a' * 64)",
        "mithril.ContentAddressedStore(store).verify()",
    ],
)
def test_ctrl_c_ends_a_call_on_a_server_that_never_answers(call: str) -> None:
    with silent_server() as (server, url), started(STALLED.format(call=call), url) as process:
        assert line(process.stdout) == "ready"
        server.settimeout(LIMIT)
        # The request is under way when the connection is there.
        with server.accept()[0] as connection:
            connection.settimeout(LIMIT)
            assert connection.recv(16)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=LIMIT) == ("interrupted\n", "")
            assert process.returncode == 0


LONG = """
    import sys
    import mithril

    def said(phase, done, total):
        global told
        if not told:
            told = True
            print("ready", flush=True)

    told = False
    texts = [f"{{n}} {{n * 7 % 1000}} " * 200 for n in range(3000)]
    try:
        {call}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "mithril.deduplicate(texts * 20, progress=said)",
        "print('ready', flush=True); mithril.MinHasher(4096).hash_column(texts * 100)",
    ],
)
def test_ctrl_c_ends_a_long_computation(call: str) -> None:
    with started(LONG.format(call=call)) as process:
        assert line(process.stdout) == "ready"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=LIMIT) == ("interrupted\n", "")


def test_a_cancelled_task_drops_its_request() -> None:
    async def main() -> None:
        asked, closed = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            # Nothing is answered; the end of the connection is what is waited for.
            assert await reader.read() == b""
            closed.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = mithril.S3Storage(
            "bucket",
            endpoint=f"http://127.0.0.1:{port}",
            allow_http=True,
            access_key_id="id",
            secret_access_key="hush",  # noqa: S106 - no secret of anybody
        )
        task = asyncio.create_task(store.get_async("key"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), LIMIT)
        server.close()

    asyncio.run(main())


def test_a_cancelled_write_leaves_no_object(tmp_path: Path) -> None:
    store = mithril.LocalStorage(tmp_path)

    async def main() -> None:
        begun = asyncio.Event()

        async def pieces() -> object:
            yield b"one"
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(store.put_async("key", pieces()))  # type: ignore[arg-type]
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.put_async("other", pieces()), 0.05)  # type: ignore[arg-type]

    asyncio.run(main())
    assert store.list() == []
