"""A guest loop costs what it does: a turn for all that came since, nothing while there is nothing to do, no descriptor before its first."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from halloween_host.legacy._loop import GuestLoop, open_loop
from tests.legacy.counted import Counted


def descriptors() -> set[str]:
    return {each.name for each in Path("/dev/fd").iterdir()}


async def test_all_that_comes_in_one_go_is_one_turn() -> None:
    """A hundred tasks and callbacks given to a sleeping loop wake it once, and one turn takes them all."""
    heard: list[int] = []

    async def author(number: int) -> None:
        heard.append(number)

    with trio.fail_after(10):
        async with open_loop(Counted()) as loop:
            await trio.testing.wait_all_tasks_blocked()
            assert isinstance(loop, Counted)
            loop.turns = 0
            for number in range(0, 100, 2):
                loop.begin(author(number))
                loop.call_soon(heard.append, number + 1)
            await trio.testing.wait_all_tasks_blocked()
            assert heard == list(range(100))
            assert loop.turns == 1


async def test_an_idle_loop_is_never_turned(autojump_clock: trio.testing.MockClock) -> None:
    """A night passes without one turn; a timer is one, whatever else is set and taken back meanwhile."""
    async with open_loop(Counted()) as loop:
        assert isinstance(loop, Counted)
        await trio.testing.wait_all_tasks_blocked()
        loop.turns = 0
        await trio.sleep(8 * 3600)
        assert loop.turns == 0
        due: list[float] = []
        began = loop.time()
        loop.call_later(20, lambda: due.append(loop.time() - began))
        await trio.testing.wait_all_tasks_blocked()
        loop.turns = 0
        await trio.sleep(3600)
        assert due == [pytest.approx(20)]
        assert loop.turns == 1


async def test_an_earlier_timer_and_a_cancelled_one_move_the_alarm(autojump_clock: trio.testing.MockClock) -> None:
    """A sleeping loop wakes for the earliest timer, also when it was set last, or when one before it was taken back."""
    async with open_loop() as loop:
        due: list[float] = []
        began = loop.time()
        last = loop.call_later(30, lambda: due.append(loop.time() - began))
        await trio.testing.wait_all_tasks_blocked()
        first = loop.call_later(10, lambda: due.append(-1))
        loop.call_later(20, lambda: due.append(loop.time() - began))
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()
        await trio.sleep(25)
        last.cancel()
        await trio.sleep(25)
        assert due == [pytest.approx(20)]


async def test_no_descriptor_before_the_first_that_is_waited_for() -> None:
    """Tasks, timers and threads need none; a socket brings the one that Trio waits on, and it closes with the loop."""
    ours, theirs = socket.socketpair()
    with ours, theirs, trio.fail_after(10):
        ours.setblocking(False)
        before = descriptors()
        async with open_loop() as loop:
            assert await loop.run(asyncio.to_thread(descriptors)) == before
            await loop.run(asyncio.sleep(0.001))
            assert descriptors() == before

            async def author() -> bytes:
                reading = asyncio.ensure_future(loop.sock_recv(ours, 10))
                await asyncio.sleep(0)
                assert len(descriptors() - before) == 1
                theirs.send(b"boo")
                return await reading

            assert await loop.run(author()) == b"boo"
        assert descriptors() == before


async def test_a_descriptor_from_before_the_drive_is_waited_for() -> None:
    """A module may register one as it is imported, and one may come in while the loop sleeps."""
    ours, theirs = socket.socketpair()
    loop = GuestLoop()
    with ours, theirs, trio.fail_after(10):
        for given in ("before the drive", "while it sleeps"):
            heard = trio.Event()
            if given == "before the drive":
                loop.add_reader(ours, heard.set)
                theirs.send(b"x")
                async with open_loop(loop):
                    await heard.wait()
                    loop.remove_reader(ours)
                ours.recv(1)
            else:
                async with open_loop() as loop:
                    await trio.testing.wait_all_tasks_blocked()
                    loop.add_reader(ours, heard.set)
                    await trio.testing.wait_all_tasks_blocked()
                    theirs.send(b"x")
                    await heard.wait()
                    loop.remove_reader(ours)


async def test_what_a_thread_brings_as_the_loop_falls_asleep_is_never_missed() -> None:
    """A thread that calls again as soon as it was answered meets a loop half asleep; nobody else would wake it."""
    heard: list[int] = []

    def answer(number: int, answered: threading.Event) -> None:
        heard.append(number)
        answered.set()

    def call(loop: GuestLoop) -> None:
        for number in range(2_000):
            answered = threading.Event()
            loop.call_soon_threadsafe(answer, number, answered)
            assert answered.wait(20)

    with trio.fail_after(60):
        async with open_loop() as loop:
            await trio.to_thread.run_sync(call, loop)
    assert heard == list(range(2_000))


async def test_a_loop_with_descriptors_is_woken_without_them() -> None:
    """Commands and data take turns: neither waits for the other's next event."""
    ours, theirs = socket.socketpair()
    with ours, theirs, trio.fail_after(10):
        ours.setblocking(False)
        async with open_loop() as loop:
            for number in range(50):
                byte = bytes([number])
                reading = loop.begin(loop.sock_recv(ours, 1))
                await trio.testing.wait_all_tasks_blocked()
                await loop.wait_for([loop.begin(asyncio.sleep(0))])
                assert not reading.done()
                theirs.send(byte)
                await loop.wait_for([reading])
                assert reading.result() == byte


async def test_what_need_not_wait_is_run_at_once() -> None:
    """`run` turns a sleeping loop itself, so a coroutine that waits for nothing is over without one step of another task."""
    with trio.fail_after(10):
        async with open_loop(Counted()) as loop:
            await trio.testing.wait_all_tasks_blocked()
            steps: list[str] = []
            async with trio.open_nursery() as nursery:

                async def other() -> None:
                    steps.append("other")

                nursery.start_soon(other)
                assert await loop.run(asyncio.sleep(0, "slept")) == "slept"
                assert steps == []


async def test_what_is_left_after_a_run_is_the_drives(autojump_clock: trio.testing.MockClock) -> None:
    """A timer and a task that a run leaves behind are taken up by the sleeping drive, without another word to the loop."""
    heard: list[str] = []

    async def ticker() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        heard.append("ticker")

    async def author() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(5, heard.append, "timer")
        heard.append("author")
        loop.begin(ticker())  # type: ignore[attr-defined] # a guest loop

    async with open_loop() as loop:
        await trio.testing.wait_all_tasks_blocked()
        await loop.run(author())
        assert heard == ["author"]
        await trio.sleep(6)
        assert heard == ["author", "ticker", "timer"]
