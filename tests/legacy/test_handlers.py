"""Handlers as tasks: one a command in the worker's own context, one turn of the loop for those that never wait, one end each."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from halloween_host.commands import Command
from halloween_host.legacy import open_legacy_home
from halloween_host.legacy._home import LegacyHome
from halloween_host.worker import TURN, Berth, Blueprint, Reports, read_actions
from tests.legacy.counted import Counted
from worker_host.base import BaseWorker

whose: ContextVar[str] = ContextVar("whose", default="the home's")


class Nobody:
    """The outlet and the reports of a home without a host."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: None


class Worker(BaseWorker):
    """Its handlers say in `heard` what they see."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[str] = []
        self.held: Callable[[], asyncio.Future[None] | None] = lambda: None

    async def do_see(self, arg: str | None) -> str:
        self.heard.append(whose.get())
        whose.set(f"{arg}'s")
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    async def do_wait(self, arg: str | None) -> None:
        self.heard.append("waits")
        await asyncio.sleep(3600)

    async def do_wait_until(self, arg: str | None) -> None:
        future = asyncio.get_running_loop().create_future()
        self.held = weakref.ref(future)
        await future

    async def do_let_go(self, arg: str | None) -> None:
        if (future := self.held()) is not None:
            future.set_result(None)

    def do_see_in_thread(self, arg: str | None) -> None:
        self.heard.append(whose.get())


@asynccontextmanager
async def open_home() -> AsyncIterator[tuple[LegacyHome, Worker, Counted]]:
    """A home whose worker has started, the worker, and its loop."""
    loop, nobody = Counted(), cast(Any, Nobody())
    plan = Blueprint("coffin", Worker, {}, read_actions(Worker, "coffin", Path(__file__)), loop)
    with trio.fail_after(20):
        async with open_legacy_home(
            plan, Berth(nobody, lambda topic_filter, qos: None, nobody), cast(Reports, nobody)
        ) as home:
            await home.construct()
            await home.start()
            await wait_all_tasks_blocked()
            loop.turns = 0
            assert isinstance(home._worker, Worker)
            yield home, home._worker, loop
            await home.cancel_handlers()
            await home.stop()
            await home.close()


async def test_handlers_that_never_wait_are_one_turn_of_the_loop() -> None:
    """A turn starts all that came, runs them to their end and tells it; a task each, named by its action."""
    ends: list[object] = []
    async with open_home() as (home, _, loop):
        for _ in range(40):
            home.run(Command("see"), lambda *end: ends.append(end))
        await wait_all_tasks_blocked()
        assert ends == [("done", "see", None)] * 40
        assert loop.turns == 1


async def test_each_handler_sees_the_context_of_its_home() -> None:
    """What a handler sets, or whoever sent the command, is seen by no other: also not by one started at the end of another."""
    async with open_home() as (home, worker, _):

        def go_on(*end: object) -> None:
            if len(worker.heard) < 3:
                home.run(Command("see", "nobody"), go_on)
            else:
                home.run(Command("see_in_thread"), lambda *end: ended.set())

        ended = trio.Event()
        whose.set("the sender's")
        home.run(Command("see", "nobody"), go_on)
        await ended.wait()
        assert worker.heard == ["the home's"] * 4


@pytest.mark.parametrize(
    "factory", [None, lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options)]
)
async def test_a_task_that_its_author_cancels_before_its_first_step_has_ended(factory: Any) -> None:
    """By `asyncio.all_tasks()`, say, and whoever made the task: the command is told once."""
    ends: list[object] = []
    async with open_home() as (home, worker, loop):
        loop.set_task_factory(factory)
        home.run(Command("wait"), lambda *end: ends.append(end))
        for task in asyncio.all_tasks(loop):
            task.cancel()
            task.cancel()
        await wait_all_tasks_blocked()
        home.run(Command("wait"), lambda *end: ends.append(end))
        await wait_all_tasks_blocked()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        await wait_all_tasks_blocked()
        assert ends == [("cancelled", None, None)] * 2
        assert worker.heard == ["waits"]
        assert not home._handlers.running


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with Python 3.12")
async def test_an_eager_task_may_end_as_it_starts() -> None:
    """It has ended once, and is kept by nobody."""
    ends: list[object] = []
    async with open_home() as (home, worker, loop):
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore] # since 3.12
        home.run(Command("see"), lambda *end: ends.append(end))
        assert len(ends) == 1
        home.run(Command("wait"), lambda *end: ends.append(end))
        assert worker.heard == ["the home's", "waits"]
        await wait_all_tasks_blocked()
        assert len(home._handlers.running) == 1
        assert len(ends) == 1


async def test_a_task_is_kept_while_it_runs_and_no_longer() -> None:
    """A handler that waits for what nobody else holds survives a collection; one that has ended needs none to be gone."""
    ends: list[object] = []
    async with open_home() as (home, _, _):
        for end in ("done", "cancelled"):
            run = home.run(Command("wait_until"), lambda ending, *_: ends.append(ending))
            await wait_all_tasks_blocked()
            gc.collect()
            (task,) = map(weakref.ref, home._handlers.running.values())
            gc.disable()
            try:
                if end == "done":
                    home.run(Command("let_go"))
                else:
                    run.cancel()
                await wait_all_tasks_blocked()
                assert ends.pop() == end
                assert task() is None
            finally:
                gc.enable()


async def test_a_home_is_prompt_until_so_many_wait() -> None:
    """Commands go straight into the loop until `TURN` of them wait there; the rest wait where others get their turn first."""
    async with open_home() as (home, _, _):
        for _ in range(TURN):
            assert home.prompt
            home.run(Command("see"))
        assert not home.prompt
        await wait_all_tasks_blocked()
        assert home.prompt
