"""Who keeps the loop is named after the step that did, and nobody is named for time that was the system's or another's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
import trio

from halloween_host import steps
from halloween_host.express import Express
from halloween_host.steps import BLOCKED_S, StepWatch


class Seconds:
    """A clock that goes only while a task says so: what a test measures does not depend on the machine."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Bell:
    """Rung by a task; notes when it is answered."""

    def __init__(self) -> None:
        self.due = False
        self.answers: list[str] = []
        self.ringer = ""

    def ring(self, ringer: str) -> None:
        self.due, self.ringer = True, ringer

    def answer(self) -> None:
        self.due = False
        self.answers.append(self.ringer)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr(steps, "_now", clock)
    return clock


class Names:
    """Who was named, and for how long a step; naming itself may take its time."""

    def __init__(self, seconds: Seconds, takes_s: float = 0.0) -> None:
        self.said: list[tuple[str | None, float]] = []
        self._seconds = seconds
        self._takes_s = takes_s

    def say(self, prop_id: str | None, took_s: float) -> None:
        self.said.append((prop_id, round(took_s, 6)))
        self._seconds.pass_(self._takes_s)


@contextmanager
def added(instrument: trio.abc.Instrument) -> Iterator[None]:
    trio.lowlevel.add_instrument(instrument)
    yield
    trio.lowlevel.remove_instrument(instrument)


async def work(worker: str | None, seconds: Seconds, *takes: float) -> None:
    """A step of each length."""
    if worker is not None:
        structlog.contextvars.bind_contextvars(worker=worker)
    for each in takes:
        await trio.lowlevel.checkpoint()
        seconds.pass_(each)
    await trio.lowlevel.checkpoint()


async def test_a_long_step_is_its_workers(seconds: Seconds) -> None:
    """Of all that run in one pass only who took long is named, once for each long step, with its seconds; the host is nobody."""
    names = Names(seconds)
    with added(StepWatch(names.say, Bell())):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(work, f"quiet-{number}", seconds, 0.9 * BLOCKED_S, 0.0, 0.1)
            nursery.start_soon(work, "coffin", seconds, 0.01, BLOCKED_S, 0.01, 3.0)
            nursery.start_soon(work, None, seconds, 5.0)  # no worker's, but the host's own
    assert [each for each in names.said if each[0] is not None] == [("coffin", BLOCKED_S), ("coffin", 3.0)]
    assert [each for each in names.said if each[0] is None] == [(None, 5.0)]


async def test_what_kept_a_step_from_going_on_is_not_its_own(seconds: Seconds) -> None:
    """Who waited for a CPU, or was stopped, is not named; who stood for long enough besides is, with all its seconds."""
    names = Names(seconds)
    watch = StepWatch(names.say, Bell())
    watch.stood_s = lambda now: now - watch.began - 2.0
    with added(watch):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "coffin", seconds, 2.0, 2.0 + BLOCKED_S)
    assert names.said == [("coffin", 2.0 + BLOCKED_S)]


async def test_a_long_step_of_the_readers_is_his_whose_handler_ran_in_it(seconds: Seconds) -> None:
    """The next step is not."""
    names, express = Names(seconds), Express(Bell())

    async def read() -> None:
        express.worker = "coffin"
        seconds.pass_(3.0)
        await trio.lowlevel.checkpoint()
        seconds.pass_(2.0)

    with added(StepWatch(names.say, Bell(), express=express)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
    assert names.said == [("coffin", 3.0), (None, 2.0)]


async def test_a_wait_for_the_system_is_nobodys_step(seconds: Seconds) -> None:
    """An idle hour lies between two steps of a worker, not in one."""

    class Idle(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            seconds.pass_(3_600.0)

    names = Names(seconds)
    with added(Idle()), added(StepWatch(names.say, Bell())):
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(work, f"quiet-{number}", seconds, 0.0, 0.1, 0.0)
    assert names.said == []


async def test_naming_one_takes_no_time_of_the_next(seconds: Seconds) -> None:
    """A log that hangs is no step of the worker whose turn follows."""
    names = Names(seconds, takes_s=60.0)
    with added(StepWatch(names.say, Bell())):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "coffin", seconds, 1.0)
            for number in range(10):
                nursery.start_soon(work, f"quiet-{number}", seconds, 0.1, 0.1)
    assert names.said == [("coffin", 1.0)]


async def test_who_sleeps_is_woken_once() -> None:
    """After the wait for the system, before the step that follows; and not again until he sleeps again."""
    woken: list[float] = []
    watch = StepWatch(lambda prop_id, seconds: None, Bell())
    watch.woken = lambda: woken.append(watch.began)
    with added(watch):
        for turn in range(3):
            await trio.sleep(0.001)
            assert len(woken) == turn
            watch.asleep = True
            await trio.sleep(0.001)
            assert len(woken) == turn + 1
            assert not watch.asleep
    assert woken == sorted(woken)


async def test_a_bell_is_answered_after_the_step_that_rang_it() -> None:
    """Before any other task has its turn, once for however many rings."""
    bell, answered = Bell(), []

    async def ring(name: str) -> None:
        for _ in range(3):
            answered.append(len(bell.answers))
            bell.ring(name)
            bell.ring(name)
            await trio.lowlevel.checkpoint()

    with added(StepWatch(lambda prop_id, seconds: None, bell)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ring, "one")
            nursery.start_soon(ring, "two")
    assert answered == list(range(6))
    assert sorted(bell.answers) == ["one"] * 3 + ["two"] * 3
