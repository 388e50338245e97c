"""The legacy home: one instance of an asyncio worker on a guest loop of its own, from its constructor to its last task."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.commands import Command, parse_command
from halloween_host.errors import CommandError, SpawnError
from halloween_host.legacy._handlers import Handlers
from halloween_host.legacy._loop import GuestLoop, open_loop
from halloween_host.legacy._mqtt import LegacyMessage, LegacyMqtt
from halloween_host.legacy._places import name_of_coroutine
from halloween_host.legacy._worker import BaseWorker, Done
from halloween_host.worker import THREADS, Arrival, Berth, Blueprint, Call, Reports, bind, is_async

__all__ = ["LegacyHome", "open_legacy_home"]

#: What is cancelled together with its home, without `close`, gets so many seconds to see its CancelledError.
ABRUPT_GRACE_S: Final = 0.5

_log: Final = structlog.stdlib.get_logger()


@asynccontextmanager
async def open_legacy_home(blueprint: Blueprint, berth: Berth, reports: Reports) -> AsyncIterator[LegacyHome]:
    """A `HomeFactory`: leaves at once after `close`, else within `ABRUPT_GRACE_S`, whatever would not end."""
    cargo = blueprint.cargo
    loop = cargo if isinstance(cargo, GuestLoop) else GuestLoop(threads=THREADS)
    loop.name = blueprint.prop_id
    loop.grace_s = ABRUPT_GRACE_S
    async with open_loop(loop):
        yield LegacyHome(loop, blueprint, berth, reports)


class LegacyHome:
    """The `Home` of an asyncio worker (see there)."""

    def __init__(self, loop: GuestLoop, blueprint: Blueprint, berth: Berth, reports: Reports) -> None:
        self.loop = loop
        self._blueprint = blueprint
        self._berth = berth
        self._reports = reports
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()
        self._worker: BaseWorker | None = None
        self._mqtt = LegacyMqtt(blueprint.prop_id, berth, self._dispatch)
        self._handlers = Handlers(loop, self._report)
        self._phases: set[asyncio.Task[Any]] = set()
        self._spawned: set[asyncio.Task[Any]] = set()
        self._stopper: asyncio.Task[Any] | None = None  # the handler or task that called `stop()` itself
        self._stop_ran = False
        loop.on_crash = self._crashed
        loop.set_exception_handler(self._unhandled)

    # -- Home

    @property
    def constructed(self) -> bool:
        return self._worker is not None

    @property
    def wants_arrivals(self) -> bool:
        return self._overrides_on_message or bool(self._mqtt._halloween_handlers)

    async def construct(self) -> None:
        def construct() -> None:
            plan = self._blueprint
            assert issubclass(plan.worker_class, BaseWorker)
            config = plan.worker_class._halloween_config(plan.config)
            self._worker = plan.worker_class(plan.prop_id, self._mqtt, config)

        await self._phase("__init__", construct)

    async def start(self) -> None:
        assert self._worker is not None
        self._berth.spawner = _LegacySpawner(self)
        await self._phase("start", self._worker.start)

    def run(self, command: Command) -> None:
        self._run(command)

    def deliver(self, arrival: Arrival) -> None:
        if self._handlers.closed:
            return
        message = LegacyMessage.of(arrival)
        listeners = tuple(self._mqtt._halloween_handlers)
        for listener in listeners:
            self._handlers.hear(listener, message)
        command = arrival.command
        # An overridden on_message gets the worker's own commands, and what it subscribed to if nobody else listens.
        if self._overrides_on_message and (command is not None or not listeners):
            on_message = self._worker.on_message  # type: ignore[union-attr] # nothing is delivered before construct()
            self._handlers.start(Call("on_message", on_message, (message,), is_async(on_message)))
            return
        try:
            if isinstance(command, Command):
                self._run(command)
            elif command is not None:
                raise command
        except CommandError:
            if not listeners:  # else a message handler took it raw
                raise

    async def cancel_handlers(self) -> None:
        await self._handlers.cancel(but=self._stopper)
        if self._stopper is not None:
            await self.loop.wait_for([self._stopper])

    async def cancel_spawned(self) -> None:
        tasks = self.spawned()
        for task in tasks:
            task.cancel()
        await self.loop.wait_for(tasks)

    async def stop(self) -> None:
        if self._worker is not None and not self._stop_ran:
            self._stop_ran = True
            await self._phase("stop", self._worker.stop)
        self._moor_off()

    async def close(self) -> None:
        self._handlers.closed = True
        self.loop.grace_s = 0.0
        ours = {*self._handlers.tasks, *self._phases, *self.spawned(), self._stopper}
        for task in self.loop.unfinished():
            if task not in ours and not task.cancelling():
                self._reports.leaked(name_of_coroutine(task.get_coro()))
        await self.loop.wind_up()

    def running(self) -> list[str]:
        return self.loop.names()

    # -- what the spawner needs, from inside the loop

    def spawned(self) -> list[asyncio.Task[Any]]:
        """The tasks of `spawn` that have not ended, and those that an author put into `_tasks` himself."""
        put = getattr(self._worker, "_tasks", ())
        return [task for task in {*self._spawned, *put} if isinstance(task, asyncio.Task) and not task.done()]

    def spawn(self, function: Any, args: tuple[Any, ...]) -> asyncio.Task[Any]:
        """The worker's `spawn`."""
        coroutine = function(*args) if callable(function) else function
        if not inspect.iscoroutine(coroutine):
            raise TypeError(f"spawn() takes a coroutine: self.spawn(self._ticker()), got {type(coroutine).__name__}")
        if threading.get_ident() != self._thread:
            coroutine.close()
            raise SpawnError(self._blueprint.prop_id, "from a thread")
        name = coroutine.__name__
        task = self.loop.begin(self._guarded(coroutine, name), name, wraps=coroutine)
        self._spawned.add(task)
        tasks = getattr(self._worker, "_tasks", [])
        (tasks.add if isinstance(tasks, set) else tasks.append)(task)
        task.add_done_callback(self._spawned_ended)
        return task

    def stopped_itself(self) -> None:
        """The worker's `stop()` ran to its end."""
        if threading.get_ident() != self._thread:
            self._soon(self.stopped_itself)
            return
        self._moor_off()
        if not self._stop_ran:
            self._stop_ran = True
            self._stopper = asyncio.current_task(self.loop)
            self._reports.stopped_itself()

    # -- inside

    @property
    def _overrides_on_message(self) -> bool:
        return self._worker is not None and type(self._worker).on_message is not BaseWorker.on_message

    def _moor_off(self) -> None:
        self._berth.spawner, self._berth.moment = None, "after stop()"

    def _run(self, command: Command) -> asyncio.Future[Any]:
        assert self._worker is not None
        call = bind(self._worker, self._blueprint.actions, command)
        if self._handlers.closed:
            raise CommandError("the worker is stopping", action=command.action)
        return self._handlers.start(call)

    async def _phase(self, name: str, function: Callable[[], Any]) -> None:
        """Run the author's function inside the loop and wait; a cancellation is passed on and the wait ends at once."""

        async def phase() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._phases.add(task)
            task.add_done_callback(self._phases.discard)
            result = function()
            if inspect.isawaitable(result):
                await result

        await self.loop.run(phase(), name=name, grace_s=0)

    def _dispatch(self, message: LegacyMessage) -> Awaitable[object]:
        """`BaseWorker.on_message`, from the loop or from the thread of a plain override."""
        if message.topic != topics.command(self._blueprint.prop_id):
            return Done()
        if threading.get_ident() != self._thread:
            self._soon(self._dispatch, message)
            return Done()
        try:
            return self._run(parse_command(message.payload))
        except CommandError as error:  # a refusal, said as one that came without on_message
            self._reports.refused(error)
            return Done()

    async def _guarded(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Any:
        """`SystemExit` and `KeyboardInterrupt` would leave the loop's iteration: they are the worker's crash, by name."""
        try:
            return await coroutine
        except (SystemExit, KeyboardInterrupt) as error:
            self._reports.crashed(name, error)

    def _spawned_ended(self, task: asyncio.Task[Any]) -> None:
        self._spawned.discard(task)
        tasks = getattr(self._worker, "_tasks", [])
        if task in tasks:
            tasks.remove(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._reports.crashed(task.get_name(), error)

    def _report(self, name: str, error: BaseException) -> None:
        """What a handler raised, told from whichever thread it ran in."""
        if threading.get_ident() != self._thread:
            self._soon(self._report, name, error)
        elif isinstance(error, Exception):
            self._reports.failed(name, error)
        else:
            self._reports.crashed(f"do_{name}" if hasattr(self._worker, f"do_{name}") else name, error)

    def _crashed(self, error: BaseException) -> None:
        self._reports.crashed("a task of its own", error)

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what an author's own task or callback raised and nobody looked at."""
        error, task = context.get("exception"), context.get("task") or context.get("future")
        name = str(context.get("message", "asyncio"))
        if isinstance(task, asyncio.Task):
            name = f"task {name_of_coroutine(task.get_coro())}"
        if isinstance(error, SystemExit | KeyboardInterrupt):
            return  # it left the iteration, and `on_crash` said so
        if error is not None:
            self._report(name, error)
        else:
            _log.warning(f"asyncio: {context.get('message')}", worker=self._blueprint.prop_id)

    def _soon(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:  # a thread that outlived the host: nobody is left to tell
            _log.error(f"dropped after the host's end: {args!r}", worker=self._blueprint.prop_id)


class _LegacySpawner:
    """The `Spawner` of an asyncio worker: what it awaits is awaited inside the worker's loop."""

    def __init__(self, home: LegacyHome) -> None:
        self._home = home

    def spawn(self, function: Any, args: tuple[Any, ...]) -> asyncio.Task[Any]:
        return self._home.spawn(function, args)

    async def cancel_spawned(self) -> None:
        loop = self._home.loop
        if asyncio.get_running_loop() is not loop:  # asyncio.run(self.stop()) in a plain handler's thread
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.cancel_spawned(), loop))
            return
        own = asyncio.current_task()
        tasks = [task for task in self._home.spawned() if task is not own]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def stopped_itself(self) -> None:
        self._home.stopped_itself()
