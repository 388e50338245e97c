"""How the guest loop is driven, woken, and kept apart from Trio."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from halloween_host.legacy._loop import GuestLoop, open_loop


@pytest.fixture
async def loop() -> AsyncIterator[GuestLoop]:
    with trio.fail_after(20):
        async with open_loop() as loop:
            yield loop


async def test_call_soon_threadsafe_wakes_a_parked_loop(loop: GuestLoop) -> None:
    """A thread wakes the loop by `call_soon_threadsafe`, and by `run_coroutine_threadsafe`."""

    async def author() -> int:
        event = asyncio.Event()
        threading.Thread(target=loop.call_soon_threadsafe, args=(event.set,)).start()
        await event.wait()

        async def answer() -> int:
            return 42

        return await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(answer(), loop).result(5))

    assert await loop.run(author()) == 42


async def test_call_soon_from_a_foreign_thread_is_borne(loop: GuestLoop) -> None:
    """asyncio bears `call_soon` from a wrong thread by luck, so many a worker has it: here it wakes the loop all the same."""
    event = trio.Event()
    if loop.get_debug():
        pytest.skip("asyncio itself refuses it in debug mode")
    await trio.testing.wait_all_tasks_blocked()
    thread = threading.Thread(target=loop.call_soon, args=(event.set,))
    thread.start()
    await event.wait()
    thread.join()


async def test_a_parked_loop_is_woken_from_trio(loop: GuestLoop) -> None:
    """`create_task`, `call_soon` and `call_later` called in Trio's own thread reach a loop that waits."""
    ended = trio.Event()

    async def author() -> None:
        await asyncio.sleep(0.01)
        ended.set()

    await trio.testing.wait_all_tasks_blocked()
    task = loop.create_task(author())
    await ended.wait()
    for call in (loop.call_soon, lambda function: loop.call_later(0.01, function)):
        event = trio.Event()
        await trio.testing.wait_all_tasks_blocked()
        call(event.set)
        await event.wait()
    assert task.done()


async def test_tasks_start_in_the_order_of_begin(loop: GuestLoop) -> None:
    """A thousand tasks begun in one go start in that order."""
    started: list[int] = []

    async def author(number: int) -> None:
        started.append(number)
        await asyncio.sleep(0)

    tasks = [loop.begin(author(number)) for number in range(1000)]
    await loop.wait_for(tasks)
    assert started == list(range(1000))


async def test_exceptions_reach_whoever_ran_the_coroutine(loop: GuestLoop) -> None:
    """What a coroutine raises is raised by `run`, SystemExit and asyncio's own CancelledError included."""
    crashes: list[BaseException] = []
    loop.on_crash = crashes.append

    async def author(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    errors = (ValueError("boo"), ExceptionGroup("two", [KeyError(1), OSError()]), SystemExit(3), KeyboardInterrupt())
    for error in (*errors, asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await loop.run(author(error))
    assert crashes == []


async def test_trio_tasks_get_their_turn_beside_a_busy_loop(loop: GuestLoop) -> None:
    """An asyncio task that never waits for anything leaves every second turn to Trio."""
    turns = 0

    async def spin() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    loop.begin(spin())
    for _ in range(100):
        await trio.lowlevel.checkpoint()
    assert 50 <= turns <= 101


async def test_loop_time_is_the_monotonic_clock(loop: GuestLoop) -> None:
    """Libraries (zeroconf) take `loop.time()` for `time.monotonic()`."""
    before = time.monotonic()
    assert before <= loop.time() <= time.monotonic()


async def test_virtual_time(autojump_clock: trio.testing.MockClock) -> None:
    """Under Trio's mock clock an hour of asyncio sleep passes at once, and `loop.time()` is Trio's."""
    async with open_loop() as loop:

        async def author() -> float:
            began = loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1800):
                    await asyncio.Event().wait()
            await asyncio.sleep(1800)
            return loop.time() - began

        assert await loop.run(author()) == pytest.approx(3600)
        assert loop.time() == trio.current_time()


async def test_signals_are_the_hosts(loop: GuestLoop) -> None:
    """`add_signal_handler` says whose signals are, by the error that libraries expect of Windows."""
    with pytest.raises(NotImplementedError, match="signals are the host's"):
        loop.add_signal_handler(2, print)
    assert not loop.remove_signal_handler(2)


async def test_the_loop_is_not_the_workers_to_run(loop: GuestLoop) -> None:
    """`run_until_complete` and `run_forever` say so, and leave no coroutine behind that nobody awaited."""
    for run in (loop.run_forever, lambda: loop.run_until_complete(asyncio.sleep(0))):
        with pytest.raises(RuntimeError, match="driven by the host"):
            run()


async def test_trio_called_inside_is_an_error_at_that_line(loop: GuestLoop) -> None:
    """A legacy worker that awaits trio fails where it does so, and does no harm to the task that drives it."""

    async def sleeps() -> None:
        await trio.sleep(1)

    async def checkpoints() -> None:
        await trio.lowlevel.checkpoint()

    async def scopes() -> None:
        with trio.move_on_after(0):
            await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="must be called from async context"):
        await loop.run(sleeps())
    with pytest.raises(RuntimeError, match="must be called from async context"):
        await loop.run(scopes())
    with pytest.raises(RuntimeError, match="Task got bad yield"):
        await loop.run(checkpoints())


async def test_work_given_before_the_loop_is_driven_waits_for_it() -> None:
    """A module may be loaded inside a loop (module-level `get_event_loop`, `create_task`, `Queue`) that turns only later."""
    loop = GuestLoop()
    heard: list[str] = []

    async def author(queue: asyncio.Queue[str]) -> None:
        heard.append(await queue.get())

    with loop.inside():
        assert asyncio.get_event_loop() is loop
        queue: asyncio.Queue[str] = asyncio.Queue()
        task = asyncio.create_task(author(queue))
        with loop.inside():
            queue.put_nowait("boo")
        assert asyncio.get_running_loop() is loop
    assert heard == []
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    with trio.fail_after(5):
        async with open_loop(loop):
            await loop.wait_for([task])
    assert heard == ["boo"]


async def test_debug_mode_is_the_loops_alone(loop: GuestLoop) -> None:
    """Debug mode tracks where coroutines come from inside the loop, and leaves Trio's own alone."""
    loop.set_debug(True)
    before = sys.get_coroutine_origin_tracking_depth()

    async def author() -> int:
        return sys.get_coroutine_origin_tracking_depth()

    assert await loop.run(author()) > 0
    assert sys.get_coroutine_origin_tracking_depth() == before


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
async def test_an_eager_task_takes_its_first_step_inside(loop: GuestLoop) -> None:
    """A worker that sets an eager task factory has its handlers begun inside the loop all the same."""
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore] # since 3.12

    async def author() -> bool:
        return asyncio.get_running_loop() is loop

    task = loop.begin(author())
    assert task.done()
    assert task.result()
