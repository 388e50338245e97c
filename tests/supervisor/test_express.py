"""A handler that cannot wait runs where its lone command is read, and is in all else what one in a task is."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.native._handlers import Handlers
from halloween_host.native._running import Handling, current
from halloween_host.native._waiting import never_waits
from halloween_host.worker import Call, Ending

mark: ContextVar[str] = ContextVar("mark", default="nobody's")


async def plain(arg: str = "") -> str:
    with suppress(ValueError):
        arg = ", ".join(sorted(each for each in arg.split()))
    return arg


async def awaits() -> None:
    await trio.lowlevel.checkpoint()


async def awaits_at_times(arg: bool = False) -> None:
    if arg:
        await trio.sleep_forever()


async def enters() -> None:
    async with trio.open_nursery():
        pass


async def iterates(items: Any = ()) -> None:
    async for _ in items:
        pass


async def collects(items: Any = ()) -> list[object]:
    return [item async for item in items]


async def generates() -> AsyncIterator[int]:
    yield 1


def returns_a_coroutine() -> Any:
    return awaits()


@functools.wraps(plain)
def wrapped() -> Any:
    return awaits()


class Prop:
    async def do_plain(self) -> None: ...

    async def do_wait(self) -> None:
        await awaits()

    async def __call__(self) -> None: ...


def test_who_can_wait_is_seen_from_the_code() -> None:
    """Whatever may be waited for in it, on any way through it; and who cannot be seen through may wait."""
    assert all(map(never_waits, (plain, Prop.do_plain, Prop().do_plain)))
    doubtful = (awaits, awaits_at_times, enters, iterates, collects, generates, returns_a_coroutine, wrapped, print)
    assert not any(map(never_waits, (*doubtful, Prop().do_wait, Prop(), functools.partial(plain), None)))


class Stage:
    """Handlers of no worker; what they did and how they ended, in the order in which that happened."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.bell = Doorbell()
        self.express = Express(self.bell)
        self.said: list[tuple[str, BaseException]] = []
        self.handlers = Handlers(nursery, "coffin", lambda *said: self.said.append(said), self.express)
        self.ends: list[tuple[Ending, object, str | None]] = []

    def start(self, function: Callable[..., Any], *args: object, timeout_s: float | None = None) -> Handling:
        """As the last command that was read."""
        call = Call("fire", function, args, True)
        handling = Handling(call, lambda *end: self.ends.append(end), timeout_s)
        self.express.last = True
        self.handlers.start(handling)
        self.express.last = False
        return handling


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    async with trio.open_nursery() as nursery:
        yield Stage(nursery)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_it_has_ended_when_it_was_started() -> None:
    """Its value is told, and whose it was is known until the step ends."""
    async with open_stage() as stage:
        assert stage.start(plain, "fog and ghosts").over
        assert stage.ends == [("done", "and, fog, ghosts", None)]
        assert stage.express.worker == "coffin"


@pytest.mark.parametrize("why", ["it may wait", "it has a timeout", "more was read", "an answer waits"])
async def test_it_has_a_task_where_that_makes_a_difference(why: str) -> None:
    """To itself, to what comes after it, or to who was told something in this step already."""
    async with open_stage() as stage:
        if why == "it may wait":
            handling = stage.start(awaits)
        elif why == "it has a timeout":
            handling = stage.start(plain, timeout_s=1.0)
        elif why == "more was read":
            handling = Handling(Call("fire", plain, (), True), None, None)
            stage.handlers.start(handling)
        else:
            stage.bell.due = True
            handling = stage.start(plain)
        assert not handling.begun
        assert stage.express.worker is None
        await wait_all_tasks_blocked()
        assert handling.over


@given(st.lists(st.sampled_from(["plain", "waits", "step"]), max_size=20))
def test_handlers_begin_in_their_order(story: list[str]) -> None:
    """One that could run at once does not overtake those that have not begun."""

    async def play() -> None:
        begun: list[int] = []

        async def cannot_wait(number: int) -> None:
            begun.append(number)

        async def waits(number: int) -> None:
            begun.append(number)
            await trio.lowlevel.checkpoint()

        async with open_stage() as stage:
            count = 0
            for each in story:
                if each == "step":
                    await trio.lowlevel.checkpoint()
                else:
                    stage.start(cannot_wait if each == "plain" else waits, count)
                    count += 1
        assert begun == list(range(count))

    trio.run(play)


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3), KeyboardInterrupt()])
async def test_what_it_raises_is_told_as_ever(error: BaseException) -> None:
    """And leaves it no farther: whoever read the command goes on."""

    async def fails() -> None:
        raise error

    async with open_stage() as stage:
        assert stage.start(fails).over
        assert stage.said == [("fire", error)]
        assert [ending for ending, _, _ in stage.ends] == ["failed"]


async def test_a_cancellation_of_elsewhere_does_not_leave_it() -> None:
    """Its own scope was never cancelled; who read the command must not be."""
    kept: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept.append(cancelled)

    async def raises_it_again() -> None:
        raise kept[0]

    returned = False
    async with open_stage() as stage:
        with suppress(trio.Cancelled):
            stage.start(raises_it_again)
            returned = True
    assert returned
    assert stage.ends == [("cancelled", None, None)]


async def test_its_context_is_its_own() -> None:
    """That of its worker: it neither sees nor leaves anything of the task in which it ran."""
    seen: list[object] = []

    async def sets_it() -> None:
        seen.extend((mark.get(), current.get()))
        mark.set("mine")

    async with open_stage() as stage:
        mark.set("the reader's")
        handling = stage.start(sets_it)
        assert seen == ["nobody's", handling]
        assert mark.get() == "the reader's"
        assert current.get() is None
