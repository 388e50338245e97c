"""The native home: one instance of a worker in a Trio nursery of its own, every task in a cancel scope of its own."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import trio

from halloween_host.commands import Command
from halloween_host.errors import CommandError, SpawnError
from halloween_host.native._handlers import Handlers
from halloween_host.native._running import Handling, Running, current, entered
from halloween_host.outlet import in_safe
from halloween_host.worker import (
    TURN,
    Arrival,
    BaseWorker,
    Berth,
    Blueprint,
    CommonWorker,
    Delivery,
    Ended,
    Reports,
    Run,
    bind,
    describe,
    has_safe,
    split_cancelled,
)

__all__ = ["NativeHome", "open_native_home"]


class open_native_home:  # noqa: N801 (a `HomeFactory`; as a generator it would take another 700 bytes a worker)
    """Opens a home; leaves only when every task in it has ended."""

    __slots__ = ("_berth", "_blueprint", "_manager", "_nursery", "_reports")

    def __init__(self, blueprint: Blueprint, berth: Berth, reports: Reports) -> None:
        self._blueprint = blueprint
        self._berth = berth
        self._reports = reports

    async def __aenter__(self) -> NativeHome:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        return NativeHome(self._nursery, self._blueprint, self._berth, self._reports)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if error is None:
            self._nursery.cancel_scope.cancel()
        return await self._manager.__aexit__(kind, error, traceback)


class NativeHome:
    """The `Home` of a native worker (see there)."""

    wants_arrivals = False

    def __init__(self, nursery: trio.Nursery, blueprint: Blueprint, berth: Berth, reports: Reports) -> None:
        self._nursery = nursery
        self._blueprint = blueprint
        self._berth = berth
        self._reports = reports
        self._worker: CommonWorker | None = None
        self._thread = threading.get_ident()
        self._handlers = Handlers(nursery, blueprint.prop_id, self._say, berth.hooks.express)
        self._spawned: dict[Running, None] = {}
        self._phases: dict[Running, None] = {}
        self._stopper: Running | None = None  # the handler or task that called `stop()` itself
        self._stop_ran = False

    @property
    def prompt(self) -> bool:
        return self._handlers.ahead < TURN

    @property
    def constructed(self) -> bool:
        return self._worker is not None

    async def construct(self) -> None:
        async def construct() -> None:
            plan = self._blueprint
            self._worker = plan.worker_class(plan.prop_id, self._berth, plan.config)  # type: ignore[call-arg] # the dialects' constructors differ

        if vars(BaseWorker)["__init__"] is self._blueprint.worker_class.__init__:  # ours: it needs no task of its own
            await construct()
        else:
            await self._phase("__init__", construct)

    async def start(self) -> None:
        assert self._worker is not None
        self._berth.spawner = self
        if _is_default(self._worker.start):
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await self._phase("start", self._worker.start)

    def run(self, command: Command, ended: Ended | None = None, timeout_s: float | None = None) -> Run:
        assert self._worker is not None
        try:
            call = bind(self._worker, self._blueprint.actions, command)
        except CommandError:
            raise
        except BaseException as error:  # noqa: BLE001 the handler's border: looking it up runs the author's code (`__getattr__`)
            self._say(command.action, error)
            run = Run(ended, timeout_s)
            run.end("failed", None, describe(error, "native"))
            return run
        if self._handlers.closed:
            raise CommandError("the worker is stopping", action=command.action)
        handling = Handling(call, ended, timeout_s)
        self._handlers.start(handling)
        return handling

    def deliver(self, arrival: Arrival, delivery: Delivery | None = None) -> None:
        """A native worker takes nothing raw (`wants_arrivals`), and `subscribe` is no call of its."""

    def spawn(self, function: Any, args: tuple[Any, ...]) -> trio.CancelScope:
        """The worker's `spawn`."""
        if inspect.iscoroutine(function):
            if args:
                function.close()
                raise TypeError("spawn() takes arguments with an async function, not with a coroutine object")
            name = function.__qualname__.rpartition(".")[2]
            body: Callable[..., Awaitable[object]] = _Awaiter(function)
        elif callable(function):
            name, body = getattr(function, "__name__", type(function).__name__), function
        else:
            raise TypeError(f"spawn() takes an async function or a coroutine object, got {type(function).__name__}")
        if threading.get_ident() != self._thread:
            if inspect.iscoroutine(function):
                function.close()
            raise SpawnError(self._blueprint.prop_id, "from a thread")
        running = Running(name)
        self._spawned[running] = None
        self._nursery.start_soon(self._run_spawned, running, body, args, name=f"{self._blueprint.prop_id}.{name}")
        return running.scope

    async def cancel_spawned(self) -> None:
        own = current.get()
        await self._cancel([each for each in self._spawned if each is not own])

    def stopped_itself(self) -> None:
        self._berth.spawner, self._berth.moment = None, "after stop()"
        if not self._stop_ran:
            self._stop_ran = True
            self._stopper = current.get()
            if self._stopper is not None:
                (self._stopper.run or self._stopper).stopper = True
            self._reports.stopped_itself()

    async def cancel_handlers(self) -> None:
        self._handlers.abandon()
        await self._cancel([each for each in self._handlers.running if each is not self._stopper])
        if self._stopper is not None:
            await self._stopper.ended.wait()

    async def stop(self) -> None:
        if self._worker is not None and not self._stop_ran:
            self._stop_ran = True
            if _is_default(self._worker.stop):
                await self.cancel_spawned()
            else:
                await self._phase("stop", self._worker.stop)
        self._berth.spawner, self._berth.moment = None, "after stop()"

    def abort(self) -> None:
        self._handlers.abandon()
        self._berth.spawner, self._berth.moment = None, "after a panic"
        for running in (*self._handlers.running, *self._spawned, *self._phases):
            running.scope.cancel()

    @property
    def has_safe(self) -> bool:
        return self._worker is not None and has_safe(type(self._worker))

    async def safe(self) -> None:
        async def safe() -> None:
            in_safe.set(self._berth.outlet)
            await self._worker.safe()  # type: ignore[union-attr] # `has_safe` said so

        await self._phase("safe", safe)

    async def wait_ended(self) -> None:
        while tasks := [*self._handlers.running, *self._spawned, *self._phases]:
            for running in tasks:
                await running.ended.wait()
        await self._handlers.wait_for_threads()

    async def close(self) -> None:
        self._handlers.abandon()
        await self._cancel([*self._handlers.running, *self._spawned, *self._phases])

    def running(self) -> list[str]:
        tasks = [each.where() for each in (*self._phases, *self._handlers.running, *self._spawned)]
        return sorted(tasks) + self._handlers.in_threads()

    async def _cancel(self, tasks: list[Running]) -> None:
        for running in tasks:
            running.scope.cancel()
        for running in tasks:
            await running.ended.wait()

    async def _phase(self, name: str, function: Callable[[], Awaitable[None]]) -> None:
        """Run `function` as a task of this home and wait for it; a cancellation goes on to it, and the wait ends at once."""
        running = Running(name)
        self._phases[running] = None
        self._nursery.start_soon(self._run_phase, running, function, name=f"{self._blueprint.prop_id}.{name}")
        try:
            await running.ended.wait()
        except trio.Cancelled:
            running.scope.cancel()
            raise
        if running.error is not None:
            raise running.error

    async def _run_phase(self, running: Running, function: Callable[[], Awaitable[None]]) -> None:
        with entered(running, self._phases), running.scope:
            try:
                await function()
            except BaseException as error:  # noqa: BLE001 the supervisor's border: the author's start() or stop() may raise anything
                cancelled, running.error = split_cancelled(error)
                if cancelled is not None:
                    raise cancelled from None

    async def _run_spawned(
        self, running: Running, body: Callable[..., Awaitable[object]], args: tuple[Any, ...]
    ) -> None:
        with entered(running, self._spawned), running.scope:
            try:
                await _awaitable(body(*args))
            except BaseException as error:  # noqa: BLE001 the supervisor's border: a crash is that worker's alone
                cancelled, failed = split_cancelled(error)
                if failed is not None:
                    self._reports.crashed(running.name, failed)
                if cancelled is not None:
                    raise cancelled from None

    def _say(self, action: str, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._reports.failed(action, error)
        else:
            self._reports.crashed(f"do_{action}", error)


def _is_default(method: object) -> bool:
    """Whether a worker's start() or stop() is ours: it needs no task of its own, as the author's do."""
    return getattr(method, "__func__", None) in (CommonWorker.start, CommonWorker.stop)


class _Awaiter:
    """A coroutine object as a function, so that both kinds of spawn are one."""

    def __init__(self, coroutine: Awaitable[object]) -> None:
        self._coroutine = coroutine

    def __call__(self) -> Awaitable[object]:
        return self._coroutine


def _awaitable(result: object) -> Awaitable[object]:
    if inspect.isawaitable(result):
        return result
    raise TypeError("spawn() was given a function that is not async: write 'async def', or call it directly")
