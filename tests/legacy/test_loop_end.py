"""How a guest loop ends: in good order while it can, in time when it cannot, and whoever would not end is named."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import threading
from collections.abc import AsyncIterator

import pytest
import trio

from halloween_host.legacy import untried_python
from halloween_host.legacy._loop import GuestLoop, open_loop


async def test_a_cancellation_of_trio_becomes_one_of_the_task() -> None:
    """`run` cancelled: the coroutine sees CancelledError, its `finally` may await, then the cancellation goes on."""
    heard: list[str] = []

    async def author() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0.01)
            heard.append("cleaned up")

    with trio.fail_after(5):
        async with open_loop() as loop:
            with trio.move_on_after(0.02) as scope:
                await loop.run(author())
            assert scope.cancelled_caught
            assert heard == ["cancelled", "cleaned up"]
            assert await loop.run(asyncio.sleep(0, "alive")) == "alive"


async def test_an_error_while_being_cancelled_is_not_lost() -> None:
    """What a coroutine raises instead of ending by its cancellation is raised by `run`."""

    async def author() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in finally")

    async with open_loop() as loop:
        with pytest.raises(ValueError, match="in finally"), trio.fail_after(0.02):
            await loop.run(author())


async def test_a_cancelled_run_without_grace_goes_on_at_once() -> None:
    """With no grace the caller leaves at once; the task hears of its cancellation all the same."""
    heard = trio.Event()

    async def author() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            heard.set()

    with trio.fail_after(5):
        async with open_loop() as loop:
            with trio.move_on_after(0.01):
                await loop.run(author(), grace_s=0)
            assert not heard.is_set()
            await heard.wait()


async def test_a_run_cancelled_before_its_first_step_leaves_nothing_unawaited() -> None:
    """Under filterwarnings=error: a coroutine that never began is closed, not "never awaited"."""

    async def author() -> None:
        raise AssertionError("never begins")

    for grace_s in (0, 1):
        with trio.fail_after(5):
            async with open_loop() as loop:
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await loop.run(author(), grace_s=grace_s)
        gc.collect()


async def test_cancelling_what_is_around_the_loop_never_stops_its_drive() -> None:
    """The nursery around the loop is cancelled: its tasks are cancelled in turn and end while the loop still turns."""
    heard: list[str] = []

    async def author() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.to_thread(heard.append, "thread")
            await asyncio.sleep(0.01)
            heard.append("slept")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery, open_loop() as loop:
            loop.begin(author())
            await loop.run(asyncio.sleep(0))
            nursery.cancel_scope.cancel()
            await trio.sleep_forever()
    assert heard == ["thread", "slept"]
    assert loop.is_closed()


async def test_a_loop_opened_under_a_cancellation_ends() -> None:
    """Opening and closing under a cancellation that came before neither hangs nor leaks."""
    with trio.fail_after(5), trio.CancelScope() as scope:
        scope.cancel()
        async with open_loop() as loop:
            pass
    assert loop.is_closed()


async def test_system_exit_in_a_task_is_told_and_the_loop_goes_on() -> None:
    """SystemExit and KeyboardInterrupt that leave asyncio's own iteration reach `on_crash`; so does `loop.stop()`."""
    crashes: list[BaseException] = []

    async def author(error: BaseException) -> None:
        raise error

    with trio.fail_after(5):
        async with open_loop() as loop:
            loop.on_crash = crashes.append
            for error in (SystemExit(1), KeyboardInterrupt()):
                task = loop.begin(author(error))
                await loop.wait_for([task])
                assert task.exception() is error
            loop.stop()
            await trio.to_thread.run_sync(loop.stop)
            assert await loop.run(asyncio.sleep(0.01, "alive")) == "alive"
    assert [type(error) for error in crashes] == [SystemExit, KeyboardInterrupt, RuntimeError, RuntimeError]
    assert "loop.stop()" in str(crashes[2])


async def test_a_task_that_swallows_its_cancellation_is_named_and_left() -> None:
    """`shut` waits no longer than it was told, and says who would not end and at which line."""

    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    with trio.fail_after(5):
        async with open_loop() as loop:
            loop.begin(stubborn())
            await loop.run(asyncio.sleep(0))
            names = await loop.shut(0.05)
    assert len(names) == 1
    assert "stubborn" in names[0]
    assert f"{__file__}:" in names[0]
    gc.collect()  # under filterwarnings=error: nothing is said of a task destroyed while pending


async def test_a_thread_that_runs_on_is_named_and_left() -> None:
    """A call in a thread cannot be cancelled: it is named with its function and line, and waited for only so long."""
    release = threading.Event()
    running = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def hold() -> None:
        token.run_sync_soon(running.set)
        release.wait(10)

    with trio.fail_after(5):
        async with open_loop() as loop:
            task = loop.begin(asyncio.to_thread(hold))
            await running.wait()
            names = await loop.shut(0.05)
            assert task.cancelled()
    release.set()
    assert len(names) == 1
    assert names[0].startswith("thread in test_a_thread_that_runs_on_is_named_and_left.hold (")
    assert f"{__file__}:" in names[0]


async def test_a_call_in_a_thread_that_ends_in_time_is_waited_for() -> None:
    """A short call whose task was cancelled ends before the loop closes, and nobody is named."""
    release = threading.Event()
    running = trio.Event()
    token = trio.lowlevel.current_trio_token()
    ended: list[bool] = []

    def hold() -> None:
        token.run_sync_soon(running.set)
        ended.append(release.wait(10))

    with trio.fail_after(5):
        async with open_loop() as loop:
            loop.begin(asyncio.to_thread(hold))
            await running.wait()
            loop.call_later(0.02, release.set)
            assert await loop.shut(4) == []
    assert ended == [True]


async def test_tasks_that_start_tasks_while_they_are_cancelled_end_too() -> None:
    """`cancel_all` goes on until nothing is left."""
    ended: list[str] = []

    async def last() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("last")

    async def first() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            asyncio.create_task(last(), name="last")  # noqa: RUF006 nobody keeps it: that is the point
            await asyncio.sleep(0)
            ended.append("first")

    with trio.fail_after(5):
        async with open_loop() as loop:
            loop.begin(first())
            await loop.run(asyncio.sleep(0))
            assert await loop.shut(4) == []
    assert ended == ["first", "last"]


async def test_open_generators_are_closed_at_the_end() -> None:
    """An async generator that somebody still holds is closed before the loop is."""
    closed: list[bool] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    held = numbers()

    async def author() -> int:
        return await anext(held)

    async with open_loop() as loop:
        assert await loop.run(author()) == 1
    assert closed == [True]


async def test_servers_connections_and_children_left_open_are_closed() -> None:
    """A port that a worker forgot to close is free for its next instance, and its child process is gone."""

    held: list[asyncio.StreamWriter] = []

    async def author() -> tuple[int, asyncio.subprocess.Process]:
        server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        held.append((await asyncio.open_connection("127.0.0.1", port))[1])
        await asyncio.sleep(0.01)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
        return port, child

    with trio.fail_after(10):
        async with open_loop() as loop:
            port, child = await loop.run(author())
    assert child.returncode is not None
    assert all(writer.transport.is_closing() for writer in held)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
    gc.collect()  # under filterwarnings=error: no ResourceWarning about what was left open


async def test_a_loop_never_driven_is_discarded_without_a_word() -> None:
    """A module that failed to load leaves a loop behind, perhaps with tasks: `discard` closes both."""
    ended: list[bool] = []

    async def author() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    loop = GuestLoop()
    with loop.inside():
        asyncio.create_task(author())  # noqa: RUF006 nobody keeps it: that is the point
    loop.discard()
    assert loop.is_closed()
    assert ended == [], "it had never started"
    gc.collect()


def test_a_python_never_tried_is_said_in_one_line() -> None:
    """The versions on which CPython's own suite was run are known; any other is a warning line."""
    assert untried_python((3, 12)) is None
    assert "3.14" in (untried_python((3, 14)) or "")
