"""Time stores beside obstore: many small objects and a large one; in memory, on disk, on S3.

Run it with ``make bench-storage``. It prints a table, and writes it into ``docs/``.
The S3 server is moto's, on this machine: a server in Python, which is slower than any client here.
How near its own limit it ran is told by the rate at which it answers a client that only asks.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import http.client
import importlib.metadata
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from bench_dedup import processor

import mithril

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ROOT = Path(__file__).parents[1]
SMALL = 4096
CONCURRENCY = 64
ASKERS = 8


@dataclass
class Race:
    """One piece of work, done by both in turns."""

    name: str
    goal: float
    ours: Callable[[], object]
    theirs: Callable[[], object]
    ours_seconds: list[float] = field(default_factory=list)
    theirs_seconds: list[float] = field(default_factory=list)

    def run(self, repetitions: int) -> None:
        """Let each run once for nothing, and then both in turns."""
        for repetition in range(repetitions + 1):
            for run, seconds in (
                (self.ours, self.ours_seconds),
                (self.theirs, self.theirs_seconds),
            ):
                start = time.perf_counter()
                run()
                if repetition:
                    seconds.append(time.perf_counter() - start)

    @property
    def ratio(self) -> float:
        """How many times as fast ours is, by the medians."""
        return statistics.median(self.theirs_seconds) / statistics.median(self.ours_seconds)


def main() -> None:
    """Measure all, print the account and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="where the account goes")
    options = parser.parse_args()
    count, large, repetitions = (500, 16 << 20, 2) if options.quick else (10_000, 1 << 30, 5)
    with tempfile.TemporaryDirectory() as folder, server() as endpoint:
        races = list(small(Path(folder), endpoint, count)) + list(
            whole(Path(folder), endpoint, large)
        )
        for race in races:
            print(f"measuring {race.name}", file=sys.stderr)
            race.run(repetitions)
        limit = ceiling(endpoint, s3_count(count))
        disk = plain_write(Path(folder), large, repetitions)
    text = account(races, limit, disk, count, quick=options.quick)
    print(text)
    (options.output / "storage-benchmark.md").write_text(text, encoding="utf-8")


def s3_count(count: int) -> int:
    """Return how many objects are got from S3, whose server takes milliseconds for each."""
    return min(count, 1000)


def small(folder: Path, endpoint: str, count: int) -> Iterator[Race]:
    """Yield the races of many small objects."""
    every = [f"key-{number:05}" for number in range(count)]
    data = os.urandom(SMALL)
    (folder / "small").mkdir()
    stores: list[tuple[str, float, Any, Any]] = [
        ("memory", 3.0, mithril.MemoryStorage(), obstore.store.MemoryStore()),
        (
            "disk",
            3.0,
            mithril.LocalStorage(folder / "small"),
            obstore.store.LocalStore(folder / "small"),
        ),
        ("S3", 1.1, *buckets(endpoint)),
    ]
    for name, goal, ours, theirs in stores:
        keys = every[: s3_count(count)] if name == "S3" else every
        asyncio.run(fill(ours, keys, data))
        if name == "memory":
            for key in keys:
                obstore.put(theirs, key, data)

        async def gather(theirs: Any = theirs, keys: list[str] = keys) -> int:  # noqa: ANN401
            limit = asyncio.Semaphore(CONCURRENCY)

            async def get(key: str) -> int:
                async with limit:
                    answer = await obstore.get_async(theirs, key)
                    return len(await answer.bytes_async())

            return sum(await asyncio.gather(*(get(key) for key in keys)))

        async def get_many(ours: Any = ours, keys: list[str] = keys) -> int:  # noqa: ANN401
            objects = await ours.get_many_async(keys, concurrency=CONCURRENCY)
            return sum(map(len, objects))

        yield Race(
            f"get {len(keys):,} objects of 4 KiB, {name}",
            goal,
            partial(run, get_many),
            partial(run, gather),
        )


def whole(folder: Path, endpoint: str, size: int) -> Iterator[Race]:
    """Yield the races of one large object."""
    data = os.urandom(1 << 20) * (size >> 20)
    (folder / "large").mkdir()
    stores: list[tuple[str, Any, Any]] = [
        ("memory", mithril.MemoryStorage(), obstore.store.MemoryStore()),
        (
            "disk",
            mithril.LocalStorage(folder / "large"),
            obstore.store.LocalStore(folder / "large"),
        ),
        ("S3", *buckets(endpoint)),
    ]
    for name, ours, theirs in stores:
        title = f"{size >> 20:,} MiB, {name}"
        yield Race(
            f"put {title}",
            1.0,
            partial(ours.put, "ours", data),
            partial(obstore.put, theirs, "theirs", data),
        )
        yield Race(
            f"get {title}",
            1.0,
            partial(length, lambda store: store.get("ours"), ours),
            partial(length, lambda store: obstore.get(store, "theirs").bytes(), theirs),
        )


def run(coroutine: Callable[[], Coroutine[Any, Any, object]]) -> object:
    """Run a coroutine in a loop of its own."""
    return asyncio.run(coroutine())


def length(get: Callable[[Any], Any], store: object) -> int:
    """Return the bytes of what is got from a store, so that it is there."""
    return memoryview(get(store)).nbytes


async def fill(store: mithril.Storage, keys: list[str], data: bytes) -> None:
    """Put the same bytes under all keys."""
    limit = asyncio.Semaphore(CONCURRENCY)

    async def put(key: str) -> None:
        async with limit:
            await store.put_async(key, data)

    await asyncio.gather(*(put(key) for key in keys))


def buckets(endpoint: str) -> tuple[Any, Any]:
    """Return one bucket as a store of each."""
    options: dict[str, Any] = {
        "endpoint": endpoint,
        "region": "us-east-1",
        "access_key_id": "test",
        "secret_access_key": "test",
        "allow_http": True,
    }
    theirs = {name: value for name, value in options.items() if name != "allow_http"}
    client = obstore.store.S3Store(
        "bucket",
        **theirs,
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )
    return mithril.S3Storage("bucket", **options), client


@contextmanager
def server() -> Iterator[str]:
    """Start an S3 server with a bucket on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                request = urllib.request.Request(f"{endpoint}/bucket", method="PUT")  # noqa: S310
                urllib.request.urlopen(request)  # noqa: S310 - a server of our own
                break
            except OSError:
                time.sleep(0.1)
        yield endpoint
    finally:
        process.terminate()
        process.wait()


def plain_write(folder: Path, size: int, repetitions: int) -> tuple[float, float]:
    """Return the seconds that a plain write of a large file takes, and its flush to the disk."""
    data = os.urandom(1 << 20) * (size >> 20)
    written, flushed = [], []
    for _ in range(repetitions):
        with (folder / "plain").open("wb", buffering=0) as file:
            start = time.perf_counter()
            file.write(data)
            written.append(time.perf_counter() - start)
            os.fsync(file.fileno())
            flushed.append(time.perf_counter() - start - written[-1])
    return statistics.median(written), statistics.median(flushed)


def ceiling(endpoint: str, count: int) -> float:
    """Return how many small objects a second the server gives clients that only ask."""
    host = endpoint.removeprefix("http://")

    def ask() -> None:
        connection = http.client.HTTPConnection(host)
        for number in range(count // ASKERS):
            connection.request("GET", f"/bucket/key-{number:05}")
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(ASKERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count // ASKERS * ASKERS / (time.perf_counter() - start)


def account(
    races: list[Race], limit: float, disk: tuple[float, float], count: int, *, quick: bool
) -> str:
    """Return the table, under what it was measured on."""
    peer, moto = importlib.metadata.version("obstore"), importlib.metadata.version("moto")
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    lines = [
        "# Stores beside obstore",
        "",
        "`make bench-storage` writes this page.",
        "",
        (
            f"- {today}, {processor()}, {os.cpu_count()} cores, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}"
        ),
        f"- mithril {mithril.__version__}, obstore {peer}, moto {moto} as the server",
        (
            "- Medians in seconds, in brackets the fastest. Both ran in turns in one process. "
            f"Small objects come through asyncio, {CONCURRENCY} at a time: ours by "
            "`get_many_async`, obstore's by `gather` over `get_async`, having no call for many."
        ),
    ]
    if quick:
        lines.append("- Small sizes (`--quick`): for trying, not for quoting.")
    lines += ["", "| | mithril | obstore | times as fast | goal |", "|---|---:|---:|---:|---:|"]
    for race in races:
        cells = [
            f"{statistics.median(seconds):.3g} ({min(seconds):.3g})"
            for seconds in (race.ours_seconds, race.theirs_seconds)
        ]
        lines.append(f"| {race.name} | {' | '.join(cells)} | {race.ratio:.2f} | {race.goal:.1f} |")
    s3 = next(race for race in races if race.name.endswith("4 KiB, S3"))
    rate = s3_count(count) / statistics.median(s3.ours_seconds)
    lines += [
        "",
        (
            f"The S3 server gave {limit:,.0f} small objects a second to {ASKERS} plain connections "
            f"that only asked, and {rate:,.0f} to mithril, {rate / limit:.0%} of that: it is the "
            "server that limits both."
        ),
        "",
        (
            f"A plain write of the large object to disk took {disk[0]:.2f} s, and its flush "
            f"{disk[1]:.2f} s, which neither asks for here (mithril does with `durable=True`). "
            "obstore writes pieces of 5 MiB, several at once, and mithril one after the other. "
            "Both share what is got from memory, and copy nothing."
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
