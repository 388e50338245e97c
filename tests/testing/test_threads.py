"""While a thread works, virtual time stands; what a short call does comes before anything else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

from halloween_host.legacy._loop import open_loop
from halloween_host.testing._threads import counted_threads
from halloween_host.testing._time import rehearsal, virtual_time

#: Real seconds: longer than the loop's thread waits for a call, far shorter than the patience.
LONG_S = 0.15


Way = Callable[[Callable[[], None]], Awaitable[None]]


async def _by_trio(work: Callable[[], None]) -> None:
    await trio.to_thread.run_sync(work)


async def _by_anyio(work: Callable[[], None]) -> None:
    await anyio.to_thread.run_sync(work)


async def _by_trios_lowlevel(work: Callable[[], None]) -> None:
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()
    trio.lowlevel.start_thread_soon(work, lambda _: token.run_sync_soon(done.set))
    await done.wait()


async def _by_a_pool(work: Callable[[], None]) -> None:
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).add_done_callback(lambda _: token.run_sync_soon(done.set))
        await done.wait()


async def _by_a_thread(work: Callable[[], None]) -> None:
    done = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def run() -> None:
        work()
        token.run_sync_soon(done.set)

    threading.Thread(target=run).start()
    await done.wait()


async def _by_asyncio(work: Callable[[], None]) -> None:
    async with open_loop() as loop:
        await loop.run(asyncio.to_thread(work))


async def _by_anyio_in_asyncio(work: Callable[[], None]) -> None:
    async def twice() -> None:  # the second call finds the thread of the first
        await anyio.to_thread.run_sync(_nothing)
        await anyio.to_thread.run_sync(work)

    async with open_loop() as loop:
        await loop.run(twice())


def _nothing() -> None:
    """A call of no length."""


WAYS = [_by_trio, _by_anyio, _by_trios_lowlevel, _by_a_pool, _by_a_thread, _by_asyncio, _by_anyio_in_asyncio]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@ways
@rehearsal
async def test_time_stands_while_a_thread_works(way: Way) -> None:
    """A thread that takes real time takes no virtual time, whichever way it was started."""
    async with virtual_time(say=pytest.fail) as stage:
        times: list[float] = []

        def work() -> None:
            time.sleep(LONG_S)
            times.append(stage.now)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 60)
            nursery.start_soon(way, work)
        assert times == [0.0]
        assert stage.now == 60


@ways
@rehearsal
async def test_what_the_caller_does_next_is_no_later(way: Way) -> None:
    """The time at which a call's result is back is the time at which it was handed over."""
    async with virtual_time(say=pytest.fail) as stage, trio.open_nursery() as nursery:

        async def call() -> None:
            for round_ in range(20):
                await way(_nothing)
                assert stage.now == round_
                await trio.sleep(1)

        async def tick() -> None:
            for _ in range(3000):
                await trio.sleep(0.01)

        nursery.start_soon(tick)
        nursery.start_soon(call)


@rehearsal
async def test_a_short_call_is_over_before_anything_else_happens() -> None:
    """Of twenty calls at the same time none begins before the one before it has ended."""
    steps: list[int] = []

    def work(number: int) -> None:
        steps.append(number)
        time.sleep(0.002)
        steps.append(number)

    async with virtual_time(say=pytest.fail), trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(trio.to_thread.run_sync, work, number)
    assert steps[::2] == steps[1::2]


@rehearsal
async def test_patience_has_an_end() -> None:
    """A thread that works for too long no longer holds time, and one line says whose and where it is."""
    lines: list[str] = []
    release = threading.Event()

    def work() -> None:
        release.wait()

    async with virtual_time(say=lines.append, patience_s=0.2) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, work)
        await trio.sleep(10)
        assert stage.now == 10
        release.set()
    [line] = lines
    assert line.startswith("unknown: a thread works for 0.2 s of real time in tests/testing/test_threads.py:")
    assert line.endswith("; virtual time goes on without it")


@rehearsal
async def test_calls_that_never_ran_hold_nothing() -> None:
    """A call cancelled in its pool's queue, and one that a pool refused, are no work."""
    release = threading.Event()
    async with virtual_time(say=pytest.fail) as stage:
        pool = ThreadPoolExecutor(1)
        pool.submit(release.wait)
        waiting: Future[object] = pool.submit(release.wait)
        assert waiting.cancel()
        pool.shutdown(wait=False)
        with pytest.raises(RuntimeError):
            pool.submit(release.wait)
        release.set()
        await trio.sleep(1)
        assert stage.now == 1


@rehearsal
async def test_a_thread_of_anyios_that_has_nothing_to_do_holds_nothing() -> None:
    """Under asyncio anyio keeps its threads for the next call; between two calls time goes on at once."""
    async with virtual_time(say=pytest.fail) as stage, open_loop() as loop:

        async def calls() -> None:
            for _ in range(3):
                await anyio.to_thread.run_sync(_nothing)
                await asyncio.sleep(3600)

        real = time.monotonic()
        await loop.run(calls())
        assert stage.now == 3 * 3600
        assert time.monotonic() - real < 4


@rehearsal
async def test_errors_in_threads_reach_who_waits() -> None:
    """A counted call raises what it would raise elsewhere."""

    def work() -> None:
        raise LookupError("no ghost")

    async with virtual_time(say=pytest.fail):
        with pytest.raises(LookupError, match="no ghost"):
            await trio.to_thread.run_sync(work)
        with ThreadPoolExecutor(1) as pool, pytest.raises(LookupError, match="no ghost"):
            pool.submit(work).result()


def test_all_is_put_back() -> None:
    """After a rehearsal every replaced function is the one that stood there."""
    from trio import _threads as trio_threads
    from trio._core._thread_cache import ThreadCache

    def functions() -> list[object]:
        return [
            ThreadPoolExecutor.submit,
            ThreadCache.start_thread_soon,
            threading.Thread.start,
            Future.result,
            Future.exception,
            trio_threads._send_message_to_trio,
        ]

    before = functions()
    with counted_threads(say=pytest.fail) as threads:
        assert not set(before) & set(functions())
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        assert threads.busy == 0
    assert functions() == before
