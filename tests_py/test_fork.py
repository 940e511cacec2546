"""Stores, hashers and the deduplicator in forked and spawned processes."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import pytest
from processes import run

import mithril

USES = """
    import os, sys, tempfile, asyncio
    import mithril

    TEXTS = [f"number {n % 50} of some texts that are all alike" for n in range(500)]

    class Uses:
        def __init__(self, folder):
            self.folder = mithril.LocalStorage(folder)
            self.memory = mithril.MemoryStorage()
            self.hasher = mithril.MinHasher(64)

        def all(self, name):
            for store in (self.folder, self.memory):
                keys = [f"{name}/{n}" for n in range(50)]
                for key in keys:
                    store.put(key, key.encode())
                assert store.get_many(keys) == [key.encode() for key in keys]
                assert b"".join(store.get_stream(keys[0])) == keys[0].encode()

            async def within():
                await asyncio.gather(*(self.folder.put_async(key, b"new") for key in keys))
                return await asyncio.gather(*(self.folder.get_async(key) for key in keys))

            assert set(asyncio.run(within())) == {b"new"}
            assert self.hasher.hash_column(TEXTS).shape == (500, 64)
            assert mithril.deduplicate(TEXTS).report.kept == 50
"""


def test_parent_and_child_both_go_on_after_a_fork() -> None:
    script = (
        USES
        + """
    with tempfile.TemporaryDirectory() as folder:
        uses = Uses(folder)
        uses.all("before")
        for depth in range(3):
            child = os.fork()
            if child == 0:
                uses.all(f"child-{depth}")
                grandchild = os.fork()
                if grandchild == 0:
                    uses.all(f"grandchild-{depth}")
                    os._exit(0)
                assert os.waitpid(grandchild, 0)[1] == 0
                uses.all(f"child-after-{depth}")
                os._exit(0)
            uses.all(f"parent-{depth}")
            assert os.waitpid(child, 0)[1] == 0
        uses.all("after")
        print(len(uses.folder.list()))
    """
    )
    assert run(script) == f"{50 * (2 + 3 * 4)}\n"


def test_a_fork_while_other_threads_are_at_work_leaves_a_child_that_works() -> None:
    script = (
        USES
        + """
    import threading

    with tempfile.TemporaryDirectory() as folder:
        uses = Uses(folder)
        done = threading.Event()

        def work():
            while not done.is_set():
                uses.hasher.hash_column(TEXTS)
                uses.folder.put("busy", b"x" * 100_000)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                uses.all("child")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        done.set()
        for thread in threads:
            thread.join()
        print("done")
    """
    )
    assert run(script) == "done\n"


def work(
    store: mithril.Storage, hasher: mithril.MinHasher, key: str
) -> tuple[bytes, int, list[bool]]:
    """What a worker does with what it was sent."""
    store.put(f"{key}-back", store.get(key)[::-1])
    signatures = hasher.hash_column(["one text", "another text"])
    keep = mithril.deduplicate(["one text", "one text"]).keep.tolist()
    return bytes(store.get(f"{key}-back")), int(signatures[0, 0]), keep


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_workers_of_multiprocessing_use_what_they_are_sent(
    method: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = mithril.LocalStorage(tmp_path_factory.mktemp("store"))
    hasher = mithril.MinHasher(16, seed=7)
    for number in range(8):
        store.put(f"key-{number}", b"abc")
    first = int(hasher.hash_column(["one text"])[0, 0])
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        arguments = [(store, hasher, f"key-{number}") for number in range(8)]
        outcomes = pool.starmap_async(work, arguments).get(timeout=120)
    assert outcomes == [(b"cba", first, [True, False])] * 8


def loader_worker(
    store: mithril.Storage,
    indices: multiprocessing.Queue[list[int] | None],
    results: multiprocessing.Queue[tuple[list[int], np.ndarray]],
) -> None:
    """A worker of a data loader: batches of indices in, batches of arrays out, None at the end."""
    while (batch := indices.get()) is not None:
        objects = store.get_many([f"row-{index}" for index in batch])
        rows = [np.frombuffer(memoryview(data), "int64") for data in objects]
        results.put((batch, np.stack(rows)))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_workers_of_a_data_loader_read_a_store_that_the_parent_has_used(
    method: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = mithril.LocalStorage(tmp_path_factory.mktemp("store"))
    for index in range(64):
        store.put(f"row-{index}", np.full(4, index, "int64"))
    assert len(store.get_many(store.list())) == 64
    context: Any = multiprocessing.get_context(method)
    results = context.Queue()
    queues = [context.Queue() for _ in range(4)]
    workers = [
        context.Process(target=loader_worker, args=(store, queue, results), daemon=True)
        for queue in queues
    ]
    for worker in workers:
        worker.start()
    for epoch in range(2):
        for start in range(0, 64, 4):
            queues[start // 4 % 4].put(list(range(start, start + 4)))
        seen: dict[int, list[int]] = {}
        for _ in range(16):
            batch, rows = results.get(timeout=120)
            seen |= {index: rows[at].tolist() for at, index in enumerate(batch)}
        assert seen == {index: [index] * 4 for index in range(64)}, epoch
    for queue in queues:
        queue.put(None)
    for worker in workers:
        worker.join(timeout=120)
        assert worker.exitcode == 0
