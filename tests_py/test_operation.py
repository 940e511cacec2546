"""Coroutines and event loops: many at once, several loops, and exits in the middle."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from processes import run

import mithril
from mithril import operation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


def test_synchronous_calls_work_inside_a_running_loop(tmp_path: Path) -> None:
    async def main() -> None:
        for store in (mithril.MemoryStorage(), mithril.LocalStorage(tmp_path)):
            store.put("key", b"value")
            assert store.get("key") == b"value"
            assert await store.get_async("key") == b"value"
            assert mithril.deduplicate(["one", "one"]).keep.tolist() == [True, False]

    asyncio.run(main())


async def put_and_get(store: mithril.Storage, name: str, count: int) -> None:
    keys = [f"{name}-{number}" for number in range(count)]
    await asyncio.gather(*(store.put_async(key, key.encode()) for key in keys))
    found = await asyncio.gather(*(store.get_async(key) for key in keys))
    assert found == [key.encode() for key in keys]


def test_loops_in_several_threads_do_not_mix_their_answers(tmp_path: Path) -> None:
    store = mithril.LocalStorage(tmp_path)
    failed: list[BaseException] = []

    def loop(name: str) -> None:
        try:
            for turn in range(3):
                asyncio.run(put_and_get(store, f"{name}-{turn}", 200))
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=loop, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(store.list()) == 4 * 3 * 200


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot listen to sockets, as Windows' proactor."""

    def add_reader(self, *_: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


def loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    made: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.SelectorEventLoop, NoReaders]
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - there is none for Windows

        made.append(uvloop.new_event_loop)
    return made


@pytest.mark.parametrize("make", loops())
def test_every_kind_of_loop_is_woken(
    make: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(put_and_get(mithril.LocalStorage(tmp_path), "key", 500))


def test_every_twin_is_a_coroutine(tmp_path: Path) -> None:
    store = mithril.LocalStorage(tmp_path)
    call: Coroutine[Any, Any, None] = store.put_async("key", b"value")
    assert asyncio.iscoroutine(call)
    asyncio.run(call)
    never = store.get_async("key")
    never.close()

    async def main() -> None:
        task = asyncio.create_task(store.get_async("key"))
        assert await asyncio.wait_for(asyncio.shield(task), 60) == b"value"
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(store.exists_async("key")) for _ in range(10)]
        assert all(task.result() for task in tasks)

    asyncio.run(main())


def test_an_operation_is_waited_for_once(tmp_path: Path) -> None:
    store = mithril.LocalStorage(tmp_path)
    native = store._native.list("")  # noqa: SLF001 - the operation of a verb
    assert native.wait() == []
    with pytest.raises(RuntimeError, match="waited for already"):
        native.wait()
    with pytest.raises(RuntimeError, match="waited for already"):
        asyncio.run(operation.run(native))


MANY = """
    import asyncio, os, sys, tempfile, threading
    import mithril

    async def main(store, end):
        puts = [store.put_async(f"key-{n}", b"x" * 1000) for n in range(2000)]
        if end == "exit":
            tasks = [asyncio.ensure_future(put) for put in puts]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            sys.exit(0)
        puts[1000:1000] = [store.put_async("../bad", b"")]
        tasks = [asyncio.ensure_future(put) for put in puts]
        try:
            await asyncio.gather(*tasks)
        except mithril.InvalidKeyException:
            print("refused")
        if end == "finish":
            await asyncio.gather(*tasks, return_exceptions=True)

    for end in sys.argv[1:]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            store = mithril.LocalStorage(folder)
            if end == "close":
                # As notebooks do: a loop is closed with everything in it still under way.
                loop = asyncio.new_event_loop()
                for n in range(2000):
                    loop.create_task(store.put_async(f"key-{n}", b"x" * 1000))
                loop.run_until_complete(asyncio.sleep(0))
                for task in asyncio.all_tasks(loop):
                    task.cancel()
                loop.run_until_complete(asyncio.sleep(0))
                loop.close()
            else:
                asyncio.run(main(store, end))
    """


@pytest.mark.parametrize("turn", range(10))
def test_nothing_aborts_hangs_or_complains_when_it_ends_early(turn: int) -> None:
    ends = ["finish", "fail", "close", "fail", "exit"]
    assert run(MANY, *ends[turn % 2 :]).split() == ["refused"] * (3 - turn % 2)


def test_an_exit_in_the_middle_from_another_thread_is_clean(tmp_path: Path) -> None:
    script = """
    import asyncio, sys, threading
    import mithril

    store = mithril.LocalStorage(sys.argv[1])
    ready = threading.Event()

    async def main():
        ready.set()
        while True:
            await asyncio.gather(*(store.put_async(f"{n}", b"x") for n in range(100)))

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    ready.wait()
    """
    for _ in range(5):
        run(script, str(tmp_path))


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - not a file of anybody
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="threads and sockets are counted in /proc")
def test_stores_that_are_dropped_leave_no_thread_socket_or_memory() -> None:
    script = """
    import asyncio, gc, os, tempfile
    import mithril

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def counts():
        gc.collect()
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    async def use(store):
        await store.put_async("key", b"value")

    def round(folder, count):
        for n in range(count):
            store = mithril.LocalStorage(f"{folder}/{n % 10}")
            store.put("key", b"x" * 1000)
            bucket = mithril.S3Storage(f"bucket-{n}", endpoint="http://127.0.0.1:1",
                                       allow_http=True, retries=0)
            memory = mithril.MemoryStorage()
            memory.put("key", b"x" * 100_000)
            if n % 100 == 0:
                asyncio.run(use(store))

    with tempfile.TemporaryDirectory() as folder:
        round(folder, 1000)
        before, memory = counts(), resident()
        round(folder, 10_000)
        # The runtime has a few threads for disks, as many as it needs at a time: what leaks, leaks
        # thousands.
        after = counts()
        assert all(now <= then + 10 for now, then in zip(after, before)), (before, after)
        grown = resident() - memory
        assert grown < 30_000_000, grown
        print("done")
    """
    assert run(script) == "done\n"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_large_results_give_their_memory_back() -> None:
    tokens = list(range(100))
    hasher = mithril.MinHasher(4096)
    store = mithril.MemoryStorage()
    hasher.hash_tokens([tokens])
    before = resident()
    signatures = hasher.hash_tokens([tokens] * 20_000)
    assert signatures.nbytes == 20_000 * 4096 * 8
    store.put("key", signatures)
    view = memoryview(store.get("key"))
    del signatures
    store.delete("key")
    assert resident() - before > 500_000_000
    del view
    gc.collect()
    assert resident() - before < 200_000_000
