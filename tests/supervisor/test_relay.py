"""Handlers that share tasks are as much apart as if each had one: order, ends, contexts and timeouts are their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.native._handlers import Handlers
from halloween_host.native._running import Handling
from halloween_host.worker import TURN, Call, Ending

mark: ContextVar[str] = ContextVar("mark", default="nobody's")


class Stage:
    """Handlers of no worker; `begun` and `ended` are in the order in which that happened."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.handlers = Handlers(nursery, "coffin", lambda action, error: None, Express(Doorbell()))
        self.started: list[Handling] = []
        self.begun: list[int] = []
        self.ended: dict[int, list[Ending]] = {}

    def start(self, body: Callable[[], Awaitable[object]], timeout_s: float | None = None) -> Handling:
        """Start a handler; its number is its place among all that were started."""
        number = len(self.started)
        self.ended[number] = []

        async def handler() -> None:
            self.begun.append(number)
            await body()

        def ended(ending: Ending, value: object, error: str | None, /) -> None:
            self.ended[number].append(ending)

        self.started.append(handling := Handling(Call("fire", handler, (), True), ended, timeout_s))
        self.handlers.start(handling)
        return handling


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Whatever still waits at its end is cancelled."""
    async with trio.open_nursery() as nursery:
        yield Stage(nursery)
        nursery.cancel_scope.cancel()


async def at_once() -> None: ...


async def once() -> None:
    await trio.lowlevel.checkpoint()


async def a_while() -> None:
    for _ in range(5):
        await trio.lowlevel.checkpoint()


async def fail() -> None:
    raise ValueError("boom")


async def stubborn() -> None:
    """Heeds its cancellation, and returns as if nothing had been."""
    with trio.CancelScope(shield=True):
        await a_while()
    try:
        await trio.sleep_forever()
    except trio.Cancelled:
        return


BODIES = (at_once, once, a_while, fail, stubborn, trio.sleep_forever)

stories = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.sampled_from(BODIES)),
        st.tuples(st.just("start twenty"), st.sampled_from(BODIES)),
        st.tuples(st.just("ask"), st.integers(0, 40)),
        st.tuples(st.just("step"), st.integers(1, 3)),
    ),
    max_size=30,
)


@given(stories)
def test_handlers_begin_in_order_and_each_ends_once(story: list[tuple[str, Any]]) -> None:
    """Whether they wait or not, and whoever is asked to end before it begins, while it waits or after it ended."""

    async def play() -> None:
        asked_before: set[int] = set()
        asked_in_time: set[int] = set()
        async with open_stage() as stage:
            for step, what in story:
                match step:
                    case "start":
                        stage.start(what)
                    case "start twenty":
                        for _ in range(20):
                            stage.start(what)
                    case "ask" if stage.started:
                        number = what % len(stage.started)
                        handling = stage.started[number]
                        if not handling.begun:
                            asked_before.add(number)
                        if not handling.over:
                            asked_in_time.add(number)
                        handling.cancel()
                    case "step":
                        for _ in range(what):
                            await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked()
            assert stage.begun == [each for each in range(len(stage.started)) if each not in asked_before]
            waiting = {number for number, ends in stage.ended.items() if not ends}
            assert len(stage.handlers.running) == len(waiting)
        assert all(len(ends) == 1 for ends in stage.ended.values())
        assert all(stage.ended[number] == ["cancelled"] for number in asked_in_time)

    trio.run(play)


async def test_a_handlers_context_is_its_own() -> None:
    """What one sets, another does not see: not the next one in its task, not one that runs while it waits."""
    seen: list[str] = []

    async def set_it() -> None:
        seen.append(mark.get())
        mark.set("mine")

    async def set_it_and_wait() -> None:
        await set_it()
        await once()
        seen.append(mark.get())
        await a_while()
        seen.append(mark.get())

    async with open_stage() as stage:
        mark.set("the worker's neighbour's")  # whoever starts a handler lends it nothing
        for body in (set_it, set_it, set_it_and_wait, set_it_and_wait, set_it, set_it_and_wait, set_it):
            stage.start(body)
        await wait_all_tasks_blocked()
        stage.start(set_it)
        await wait_all_tasks_blocked()
    assert seen.count("nobody's") == 8
    assert seen.count("mine") == 6
    assert mark.get() == "the worker's neighbour's"


async def test_a_timeout_is_one_handlers_alone(autojump_clock: MockClock) -> None:
    """One that made it, waiting or not, leaves no deadline to those after it; one that did not takes nobody with it."""

    async def ten_seconds() -> None:
        await trio.sleep(10)

    async with open_stage() as stage:
        stage.start(at_once, timeout_s=1.0)
        stage.start(ten_seconds)
        stage.start(once, timeout_s=1.0)
        stage.start(ten_seconds, timeout_s=1.0)
        stage.start(ten_seconds)
        await trio.sleep(5)
        stage.start(ten_seconds)
        await trio.sleep(20)
    endings = [ends for (ends,) in stage.ended.values()]
    assert endings == ["done", "done", "done", "timeout", "done", "done"]


async def test_others_get_their_turn_between_handlers_that_never_wait(autojump_clock: MockClock) -> None:
    """A thousand of them are one task, which gives way every so many; the tasks of those that waited are used again."""
    spawned: list[trio.lowlevel.Task] = []

    class Spawns(trio.abc.Instrument):
        def task_spawned(self, task: trio.lowlevel.Task) -> None:
            spawned.append(task)

    trio.lowlevel.add_instrument(spawns := Spawns())
    async with open_stage() as stage:
        for _ in range(1_000):
            stage.start(at_once)
        turns = 0
        while len(stage.begun) < 1_000:
            turns += 1
            await trio.lowlevel.checkpoint()
        assert turns >= 1_000 / TURN
        assert len(spawned) == 1
        for _ in range(100):
            for _ in range(10):
                stage.start(a_while)
            await wait_all_tasks_blocked()
        assert len(spawned) <= 1 + 10
    trio.lowlevel.remove_instrument(spawns)


async def test_a_waiting_handler_is_named_with_its_line() -> None:
    """As far down as the author's code goes."""

    async def deep() -> None:
        await trio.sleep_forever()

    async with open_stage() as stage:
        for body in (at_once, deep, at_once):
            stage.start(body)
        await wait_all_tasks_blocked()
        (running,) = stage.handlers.running
        line = deep.__code__.co_firstlineno + 1
        assert running.where() == f"do_fire (tests/supervisor/test_relay.py:{line})"
