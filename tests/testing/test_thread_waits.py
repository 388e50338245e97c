"""A thread that waits for the event loop does not hold virtual time; with its answer it does again."""

from __future__ import annotations

import asyncio
import time

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

from halloween_host.legacy._loop import open_loop
from halloween_host.testing._calls import Wait, here
from halloween_host.testing._threads import counted_threads
from halloween_host.testing._time import rehearsal, virtual_time

#: Real seconds: longer than the loop's thread waits for a call, far shorter than the patience.
LONG_S = 0.15


@rehearsal
async def test_a_thread_that_waits_for_trio_lets_time_pass() -> None:
    """`trio.from_thread.run(trio.sleep, …)` in a thread is a wait for virtual time, not work."""
    async with virtual_time(say=pytest.fail) as stage:

        def work() -> list[float]:
            times = []
            for _ in range(20):
                trio.from_thread.run(trio.sleep, 3600)
                times.append(anyio.from_thread.run_sync(trio.current_time))
            return times

        real = time.monotonic()
        start = trio.current_time()
        times = await anyio.to_thread.run_sync(work)
        assert times == [start + 3600 * (hour + 1) for hour in range(20)]
        assert stage.now == 20 * 3600
        assert time.monotonic() - real < 5


@rehearsal
async def test_a_thread_that_waits_for_asyncio_lets_time_pass() -> None:
    """`run_coroutine_threadsafe(…).result()` in a thread is a wait for virtual time, not work."""
    async with virtual_time(say=pytest.fail) as stage, open_loop() as loop:

        def work() -> float:
            for _ in range(10):
                asyncio.run_coroutine_threadsafe(asyncio.sleep(3600), loop).result()
            assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "boo"), loop).exception() is None
            return stage.now

        assert await loop.run(asyncio.to_thread(work)) == 10 * 3600


@rehearsal
async def test_a_thread_that_asks_asyncio_by_anyio_lets_time_pass() -> None:
    """`anyio.from_thread.run` in an asyncio worker's thread is a wait for virtual time too."""
    async with virtual_time(say=pytest.fail) as stage, open_loop() as loop:

        def work() -> float:
            for _ in range(10):
                anyio.from_thread.run(anyio.sleep, 3600)
            return stage.now

        async def call() -> float:
            return await anyio.to_thread.run_sync(work)

        real = time.monotonic()
        assert await loop.run(call()) == 10 * 3600
        assert time.monotonic() - real < 5


@rehearsal
async def test_what_a_thread_does_with_its_answer_comes_first() -> None:
    """Woken by Trio at 1 s, a thread works on in real time, and time stands at 1 s until it is done."""
    async with virtual_time(say=pytest.fail) as stage:

        def work() -> float:
            trio.from_thread.run(trio.sleep, 1)
            time.sleep(LONG_S)
            return stage.now

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 60)
            assert await trio.to_thread.run_sync(work) == 1.0


def test_an_answer_may_come_before_the_wait() -> None:
    """A thread that has its answer as it begins to wait works on: time must not jump past what it will do with it."""
    with counted_threads(say=pytest.fail) as threads:
        here.call = threads.begin()
        wait = Wait(threads)
        wait.over()
        wait.begin()
        assert threads.busy == 1
        threads.rest(here.call)
        here.call = None
