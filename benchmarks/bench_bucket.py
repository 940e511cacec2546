"""Time the whole command from bucket to bucket beside the same from folder to folder.

Run it with ``make bench-bucket``. The server is SeaweedFS on this machine, behind a proxy that adds
20 ms to every request. They share all processors with the command, or, to see what the command
takes for itself, have others than it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import http.client
import json
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import planted
from bench_scale import FOLDER, MITHRIL
from watch import Run, watched

import mithril

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

ROWS = 1_000_000
REPETITIONS = 5
REPLACED = "an output that is replaced"
APART = "a new output, the command on one processor and the server on the others"
KINDS = ("a new output", REPLACED, APART)
DELAY = 0.02
KEY, SECRET = "measured", "measured-measured"
PORTS = ("s3.port", "filer.port", "master.port", "volume.port")
CHUNK = 1 << 20


@contextlib.contextmanager
def server() -> Iterator[tuple[int, int]]:
    """Start SeaweedFS; gives the port of its S3, and the id of its process."""
    ports = {name: free_port() for name in [*PORTS, *(f"{name}.grpc" for name in PORTS)]}
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "bench", "credentials": credentials, "actions": actions}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "s3.json").write_text(json.dumps({"identities": [identity]}))
        command = [str(Path(sys.executable).with_name("weed")), "server"]
        command += [f"-{name}={port}" for name, port in ports.items()]
        command += ["-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        command += ["-master.volumeSizeLimitMB=256", "-volume.max=100", "-s3", "-s3.iam=false"]
        command += ["-s3.config=s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
        try:
            s3, filer = ports["s3.port"], ports["filer.port"]
            wait_for(filer, "POST", "/buckets/bench/", 201)
            wait_for(filer, "PUT", "/buckets/bench/ready", 201)
            wait_for(s3, "GET", "/bench/ready", 403)
            yield s3, process.pid
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """Find a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def wait_for(port: int, method: str, path: str, status: int) -> None:
    """Ask until this is the answer."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            with contextlib.closing(connection):
                connection.request(method, path)
                if connection.getresponse().status == status:
                    return
        time.sleep(0.1)
    sys.exit(f"the server did not answer {method} {path} with {status}")


def pass_on(port: int, server_port: int) -> None:
    """Pass on what comes to a port, each request after a while."""
    with socket.create_server(("127.0.0.1", port), backlog=256) as proxy:
        while True:
            client, _ = proxy.accept()
            server = socket.create_connection(("127.0.0.1", server_port))
            is_answered = threading.Event()
            is_answered.set()
            for one, other, delay in ((client, server, DELAY), (server, client, 0.0)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ways = (one, other, delay, is_answered)
                threading.Thread(target=move, args=ways, daemon=True).start()


def move(one: socket.socket, other: socket.socket, delay: float, is_answered: Event) -> None:
    """Move what one socket gets to another, without its coming into this process.

    That takes a third of the processor time of reading and writing it, 0.13 seconds a run in place
    of 0.36, which the command that is measured would have to do without.
    """
    take, give = os.pipe()
    fcntl.fcntl(give, fcntl.F_SETPIPE_SZ, CHUNK)
    with contextlib.suppress(OSError):
        while one.recv(1, socket.MSG_PEEK):
            if not delay:
                is_answered.set()
            elif is_answered.is_set():
                is_answered.clear()
                time.sleep(delay)
            left = os.splice(one.fileno(), give, CHUNK)
            while left:
                left -= os.splice(take, other.fileno(), left)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
    os.close(take)
    os.close(give)


def dedup(
    pin: list[str], source: str | Path, output: str | Path, environment: dict[str, str]
) -> Run:
    """Run the command, `pin` being what binds it to a processor."""
    command: list[str | Path] = [*pin, MITHRIL, "dedup", source, "--output", output]
    return watched([*command, "--overwrite", "--quiet"], environment)


def bind(processes: list[int], processors: list[int]) -> None:
    """Have processes run on these processors alone, with all their threads."""
    chosen = ",".join(map(str, processors))
    for process in processes:
        command = ["taskset", "--all-tasks", "--pid", "--cpu-list", chosen, str(process)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def processor_of(processes: list[int]) -> float:
    """Return the seconds of processors that processes have taken so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in processes]
    ticks = sum(int(field[11]) + int(field[12]) for field in fields)
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows, to try it")
    rows = 100_000 if parser.parse_args().quick else ROWS
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = planted.write(FOLDER, rows)
    with server() as (s3, weed):
        port = free_port()
        proxy = multiprocessing.Process(target=pass_on, args=(port, s3), daemon=True)
        proxy.start()
        servers = [pid for pid in (weed, proxy.pid) if pid is not None]
        environment = os.environ | {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        os.environ.update(environment)
        store = mithril.open_store("s3://bench")
        size = 0
        for path in sorted(source.glob("*.parquet")):
            store.put(f"rows/{path.name}", path.read_bytes())
            size += path.stat().st_size
        here, there = FOLDER / "out-here", "s3://bench/clean"
        runs: dict[str, tuple[list[Run], list[Run]]] = {kind: ([], []) for kind in KINDS}
        serving: dict[str, list[float]] = {kind: [] for kind in KINDS}
        processors = sorted(os.sched_getaffinity(0))
        for _ in range(REPETITIONS):
            for kind, (local, bucket) in runs.items():
                if kind != REPLACED:
                    shutil.rmtree(here, ignore_errors=True)
                    for key in store.list("clean/"):
                        store.delete(key)
                pin = [] if kind != APART else ["taskset", "--cpu-list", str(processors[0])]
                bind(servers, processors[1:] if pin else processors)
                local.append(dedup(pin, source, here, environment))
                before = processor_of(servers)
                bucket.append(dedup(pin, "s3://bench/rows", there, environment))
                serving[kind].append(processor_of(servers) - before)
        proxy.terminate()
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB of Parquet, on {os.cpu_count()} processors:")
    for kind, (local, bucket) in runs.items():
        print(account(kind, local, bucket, statistics.median(serving[kind])))


def account(kind: str, local: list[Run], bucket: list[Run], serving: float) -> str:
    """Say what runs have taken."""
    one, other = (
        sorted(runs, key=lambda run: run.seconds)[len(runs) // 2] for runs in (local, bucket)
    )
    return (
        f"{kind}: folder to folder {one.seconds:.2f} s, bucket to bucket {other.seconds:.2f} s, "
        f"{other.seconds / one.seconds:.2f} times as long; peak memory "
        f"{max(run.peak for run in local) / 1e6:,.0f} and "
        f"{max(run.peak for run in bucket) / 1e6:,.0f} MB; of the processors "
        f"{one.processor:.2f} and {other.processor:.2f} seconds, and {serving:.2f} for the server "
        "and the delay"
    )


if __name__ == "__main__":
    main()
