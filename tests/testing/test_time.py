"""Virtual time jumps to the next deadline when nothing else can happen, and says how to get it where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host.errors import StageError
from halloween_host.testing._time import rehearsal, virtual_time


def ignore(line: str) -> None:
    """Nobody reads it."""


@rehearsal
async def test_five_hours_pass_in_a_moment() -> None:
    """A sleep takes as long as it says by Trio's clock, and next to nothing by the computer's."""
    real = time.monotonic()
    async with virtual_time(say=ignore) as stage:
        await trio.sleep(5 * 3600)
        assert stage.now == 5 * 3600
        assert stage.jumps == 1
    assert time.monotonic() - real < 5


@rehearsal
async def test_deadlines_come_in_their_order() -> None:
    """Every task wakes at its own time, the earliest first."""
    woken: list[tuple[str, float]] = []
    async with virtual_time(say=ignore) as stage, trio.open_nursery() as nursery:

        async def sleep(name: str, seconds: float) -> None:
            await trio.sleep(seconds)
            woken.append((name, stage.now))

        for name, seconds in (("late", 3.0), ("early", 1.0), ("middle", 2.5)):
            nursery.start_soon(sleep, name, seconds)
    assert woken == [("early", 1.0), ("middle", 2.5), ("late", 3.0)]


@rehearsal
async def test_time_stands_while_it_is_held() -> None:
    """`hold` keeps a sleeper asleep; with its end time goes on."""
    woken = trio.Event()
    async with virtual_time(say=ignore) as stage, trio.open_nursery() as nursery:

        async def sleep() -> None:
            await trio.sleep(1)
            woken.set()

        nursery.start_soon(sleep)
        with stage.hold():
            for _ in range(5):
                await wait_all_tasks_blocked()
            assert stage.now == 0
            assert not woken.is_set()
        await woken.wait()
        assert stage.now == 1


@rehearsal
async def test_settle_lets_all_happen_but_time() -> None:
    """After `settle` every task has come to its wait, and it is as late as before."""
    steps: list[int] = []
    async with virtual_time(say=ignore) as stage, trio.open_nursery() as nursery:

        async def walk() -> None:
            for step in range(20):
                steps.append(step)
                await trio.lowlevel.checkpoint()
            await trio.sleep(1)

        nursery.start_soon(walk)
        await stage.settle()
        assert len(steps) == 20
        assert stage.now == 0


@rehearsal
async def test_without_any_deadline_it_waits_for_the_real_world() -> None:
    """A stage on which no deadline is set goes on when something real happens."""
    came = trio.Event()
    token = trio.lowlevel.current_trio_token()
    async with virtual_time(say=ignore, patience_s=0.0) as stage:  # a thread that time does not wait for

        def real() -> None:
            time.sleep(0.2)
            token.run_sync_soon(came.set)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, real)
            await came.wait()
        assert stage.now == 0


async def test_the_clock_of_the_computer_is_refused() -> None:
    """Outside of virtual time the error says how to get into it."""
    with pytest.raises(
        StageError, match=r"write @rehearsal .* or trio\.run\(main, clock=trio\.testing\.MockClock\(\)\)"
    ):
        async with virtual_time(say=ignore):
            pytest.fail("it opened")


async def test_a_clock_that_jumps_by_itself_does_not_here(autojump_clock: MockClock) -> None:
    """pytest-trio's autojump_clock serves too: its own jump, which knows of no hold, is off, then on again."""
    async with virtual_time(say=ignore, patience_s=0.0) as stage, trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 60)
        with stage.hold():
            assert await trio.to_thread.run_sync(_works_for, 0.2, lambda: stage.now) == 0.0
        await trio.sleep(1)
        assert stage.now == 1
    assert autojump_clock.autojump_threshold == 0


@rehearsal
async def test_a_thread_that_ends_as_time_would_jump_is_heard_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last look at what happens and the jump a thread may say something and end: time waits for that."""
    came = trio.Event()
    token = trio.lowlevel.current_trio_token()
    moments = [True]

    async with virtual_time(say=pytest.fail) as stage, trio.open_nursery() as nursery:
        threads = stage._threads

        async def blocked_and_then_a_thread_ends(cushion: float = 0.0) -> None:
            await wait_all_tasks_blocked(cushion)
            if moments:
                moments.pop()
                call = threads.begin()
                token.run_sync_soon(came.set)
                threads.rest(call)

        monkeypatch.setattr("halloween_host.testing._time.wait_all_tasks_blocked", blocked_and_then_a_thread_ends)
        nursery.start_soon(trio.sleep, 60)
        await came.wait()
        assert stage.now == 0


async def test_only_one_rehearsal_at_a_time(mock_clock: MockClock) -> None:
    """A second one is refused while the first is open, and may open after it."""
    async with virtual_time(say=ignore):
        with pytest.raises(StageError, match="one at a time"):
            async with virtual_time(say=ignore):
                pytest.fail("it opened")
    async with virtual_time(say=ignore):
        await trio.sleep(1)


@pytest.fixture
def a_word() -> str:
    """What a plain fixture gives."""
    return "boo"


@pytest.mark.parametrize("number", [1, 2])
@rehearsal
async def test_a_rehearsal_takes_fixtures_and_parameters(a_word: str, tmp_path: Path, number: int) -> None:
    """pytest sees the parameters of the async function behind the plain one."""
    assert a_word == "boo"
    assert tmp_path.is_absolute()
    assert number in (1, 2)
    assert isinstance(trio.lowlevel.current_clock(), MockClock)


async def _fails_in_nurseries() -> None:
    async with trio.open_nursery(), trio.open_nursery():
        raise AssertionError("the lid stayed shut")


async def _fails_twice() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_fails_in_nurseries)
        nursery.start_soon(_fails_in_nurseries)


def test_an_error_alone_leaves_its_groups() -> None:
    """A test author sees the AssertionError, not the nurseries around it; two errors stay together."""
    with pytest.raises(AssertionError, match="the lid stayed shut"):
        rehearsal(_fails_in_nurseries)()
    with pytest.raises(BaseExceptionGroup):
        rehearsal(_fails_twice)()


def test_a_plain_function_is_no_rehearsal() -> None:
    """The error names the function and says where the decorator belongs."""
    with pytest.raises(StageError, match="_works_for is none; of several decorators it is the lowest"):
        rehearsal(_works_for)  # type: ignore[arg-type] # that is the mistake


@rehearsal
async def test_a_jump_is_cheap() -> None:
    """A jump costs at most three times what Trio's own autojump costs."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)

    async def cost() -> float:
        start = time.process_time()
        for _ in range(3000):
            await trio.sleep(1)
        return time.process_time() - start

    clock.autojump_threshold = 0
    trios = min([await cost() for _ in range(3)])
    async with virtual_time(say=ignore):
        ours = min([await cost() for _ in range(3)])
    clock.autojump_threshold = float("inf")
    assert ours < 3 * trios


def _works_for(seconds: float, then: Callable[[], float]) -> float:
    time.sleep(seconds)
    return then()
