"""A home tells once how a handler ended, whoever ended it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import trio
from trio.testing import wait_all_tasks_blocked

from halloween_host import BaseWorker
from halloween_host.commands import Command
from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.legacy import open_legacy_home
from halloween_host.native import open_native_home
from halloween_host.worker import Berth, Blueprint, Home, Reports, read_actions
from tests.supervisor.phone import Dialect, both_dialects
from worker_host.base import BaseWorker as AsyncioWorker


class Handlers:
    """`entered` and `leave` are the thread's; `cleaned` tells that a `finally` ran."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.entered, self.leave, self.cleaned = threading.Event(), threading.Event(), False

    def do_block(self, arg: str | None) -> str:
        self.entered.set()
        self.leave.wait(10)
        return "late"

    async def do_wait(self, arg: str | None) -> None:
        try:
            await anyio.sleep(60)
        finally:
            self.cleaned = True


class Nobody:
    """The outlet and the reports of a home without a host."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: None


@asynccontextmanager
async def open_home(dialect: Dialect) -> AsyncIterator[tuple[Home, Any]]:
    """A home whose worker has started, and the worker."""
    workers: list[Any] = []

    class Counted(Handlers):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            workers.append(self)

    base: Any = BaseWorker if dialect == "native" else AsyncioWorker
    worker_class = type("Worker", (Counted, base), {"__module__": __name__})
    blueprint = Blueprint("coffin", worker_class, {}, read_actions(worker_class, "coffin", Path(__file__)))
    nobody = cast(Any, Nobody())
    hooks = cast(Any, SimpleNamespace(express=Express(Doorbell())))
    berth = Berth(nobody, lambda topic_filter, qos: None, hooks)
    factory = open_native_home if dialect == "native" else open_legacy_home
    async with factory(blueprint, berth, cast(Reports, nobody)) as home:
        await home.construct()
        await home.start()
        yield home, workers[0]
        workers[0].leave.set()
        await home.cancel_handlers()
        await home.stop()
        await home.close()


@both_dialects
async def test_a_plain_handler_that_is_asked_to_end_is_left_to_itself(dialect: Dialect) -> None:
    """It has ended as cancelled at once; what its thread returns later is heard by nobody."""
    ends: list[tuple[Any, ...]] = []
    async with open_home(dialect) as (home, worker):
        run = home.run(Command("block"), lambda *end: ends.append(end))
        await trio.to_thread.run_sync(worker.entered.wait, 10)
        run.cancel()
        await wait_all_tasks_blocked()
        assert ends == [("cancelled", None, None)]
        worker.leave.set()
        await wait_all_tasks_blocked(0.05)
    assert ends == [("cancelled", None, None)]


@both_dialects
async def test_one_that_has_not_begun_never_does(dialect: Dialect) -> None:
    """Asked to end before its first step: no code of its own runs."""
    ends: list[tuple[Any, ...]] = []
    async with open_home(dialect) as (home, worker):
        home.run(Command("wait"), lambda *end: ends.append(end)).cancel()
        await wait_all_tasks_blocked()
        assert (ends, worker.cleaned) == ([("cancelled", None, None)], False)


@both_dialects
async def test_the_end_of_all_handlers_is_the_end_of_each(dialect: Dialect) -> None:
    """Those that run and those that have not begun."""
    ends: list[tuple[Any, ...]] = []
    async with open_home(dialect) as (home, worker):
        home.run(Command("wait"), lambda *end: ends.append(end))
        await wait_all_tasks_blocked()
        for action in ("wait", "block"):
            home.run(Command(action), lambda *end: ends.append(end))
        await home.cancel_handlers()
        worker.leave.set()
        await wait_all_tasks_blocked(0.05)
        assert [end[0] for end in ends[:2]] == ["cancelled"] * 2
        assert (len(ends), worker.cleaned) == (3, True)
