"""The legacy home: one instance of an asyncio worker on a guest loop of its own, from its constructor to its last task."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
import trio

from halloween_host import topics
from halloween_host.commands import Command, parse_command
from halloween_host.errors import CommandError
from halloween_host.legacy._complaints import Complaints
from halloween_host.legacy._handlers import Handlers, Handling
from halloween_host.legacy._loop import GuestLoop, open_loop
from halloween_host.legacy._mqtt import LegacyMessage, LegacyMqtt
from halloween_host.legacy._places import name_of_coroutine
from halloween_host.legacy._spawner import LegacySpawner
from halloween_host.legacy._worker import BaseWorker, Done
from halloween_host.outlet import in_safe
from halloween_host.worker import (
    THREADS,
    TURN,
    Arrival,
    Berth,
    Blueprint,
    Call,
    Delivery,
    Ended,
    Ending,
    Reports,
    Run,
    bind,
    describe,
    has_safe,
    is_async,
)

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
        self._complaints = Complaints(blueprint.prop_id, blueprint.worker_class, reports)
        self._handlers = Handlers(loop, self._complaints.report, self._end)
        self._phases: dict[asyncio.Task[Any], None] = {}
        self._spawner = LegacySpawner(loop, blueprint.prop_id, reports, lambda: self._worker, self.stopped_itself)
        self._stopper: asyncio.Task[Any] | None = None  # the handler or task that called `stop()` itself
        self._stop_ran = self._overrides_on_message = False
        loop.on_crash = lambda error: reports.crashed("a task of its own", error)
        loop.set_exception_handler(self._complaints.unheard)

    # -- Home

    @property
    def constructed(self) -> bool:
        return self._worker is not None

    @property
    def prompt(self) -> bool:
        return self.loop.backlog < TURN

    @property
    def wants_arrivals(self) -> bool:
        return self._overrides_on_message or bool(self._mqtt._halloween_handlers)

    async def construct(self) -> None:
        def construct() -> None:
            plan = self._blueprint
            assert issubclass(plan.worker_class, BaseWorker)
            config = plan.worker_class._halloween_config(plan.config)
            self._worker = worker = plan.worker_class(plan.prop_id, self._mqtt, config)
            self._overrides_on_message = type(worker).on_message is not BaseWorker.on_message

        await self._phase("__init__", construct)

    async def start(self) -> None:
        assert self._worker is not None
        self._berth.spawner = self._spawner
        await self._phase("start", self._worker.start)

    def run(self, command: Command, ended: Ended | None = None, timeout_s: float | None = None) -> Run:
        assert self._worker is not None
        run = Handling(ended, timeout_s)
        try:
            call = bind(self._worker, self._blueprint.actions, command)
            if self._handlers.closed:
                raise CommandError("the worker is stopping", action=command.action)
            self._handlers.start(call, run)
        except BaseException as error:  # noqa: BLE001 the handler's border
            self._failed_early(command.action, error, run.end)
        return run

    def deliver(self, arrival: Arrival, delivery: Delivery | None = None) -> None:
        if not self._handlers.closed:
            try:
                self._deliver(arrival, delivery)
            except BaseException as error:  # noqa: BLE001 the handler's border
                self._failed_early("on_message", error, None if delivery is None else delivery.delivered)

    async def cancel_handlers(self) -> None:
        await self._handlers.cancel(but=self._stopper)
        if self._stopper is not None:
            await self.loop.wait_for([self._stopper])

    async def cancel_spawned(self) -> None:
        tasks = self._spawner.tasks()
        for task in tasks:
            task.cancel()
        await self.loop.wait_for(tasks)

    async def stop(self) -> None:
        if self._worker is not None and not self._stop_ran:
            self._stop_ran = True
            await self._phase("stop", self._worker.stop)
        self._moor_off()

    def abort(self) -> None:
        self._handlers.abandon()
        self._berth.spawner, self._berth.moment = None, "after a panic"
        for task in self.loop.unfinished():
            task.cancel()

    @property
    def has_safe(self) -> bool:
        return self._worker is not None and has_safe(type(self._worker))

    async def safe(self) -> None:
        async def safe() -> None:
            in_safe.set(self._berth.outlet)
            await self._worker.safe()  # type: ignore[union-attr] # `has_safe` said so

        await self._phase("safe", safe)

    async def wait_ended(self) -> None:
        while tasks := self.loop.unfinished():
            await self.loop.wait_for(tasks)
        await self.loop.wait_for_threads()

    async def close(self) -> None:
        self._handlers.closed = True
        self.loop.grace_s = 0.0
        ours = {*self._handlers.running.values(), *self._phases, *self._spawner.tasks(), self._stopper}
        for task in self.loop.unfinished():
            if task not in ours and not task.cancelling():
                self._reports.leaked(name_of_coroutine(task.get_coro()))
        await self.loop.wind_up()

    def running(self) -> list[str]:
        return self.loop.names()

    def stopped_itself(self) -> None:
        """The worker's `stop()` ran to its end."""
        if threading.get_ident() != self._thread:
            self._complaints.soon(self.stopped_itself)
            return
        self._moor_off()
        if not self._stop_ran:
            self._stop_ran = True
            self._stopper = asyncio.current_task(self.loop)
            self._handlers.mark_stopper(self._stopper)
            self._reports.stopped_itself()

    # -- inside

    def _moor_off(self) -> None:
        self._berth.spawner, self._berth.moment = None, "after stop()"

    def _failed_early(self, name: str, error: BaseException, ended: Ended | None) -> None:
        """Looking a handler up ran the author's code (`__getattr__`, a property): what that raised is the handler's failure."""
        if isinstance(error, CommandError):
            raise error
        self._complaints.report(name, error)
        if ended is not None:
            ended("failed", None, describe(error, "legacy"))

    def _deliver(self, arrival: Arrival, delivery: Delivery | None) -> None:
        message = LegacyMessage.of(arrival, delivery)
        listeners = tuple(self._mqtt._halloween_handlers)
        for listener in listeners:
            self._handlers.hear(listener, message)
        command = arrival.command
        # An overridden on_message gets the worker's own commands, and what it subscribed to if nobody else listens.
        if self._overrides_on_message and (command is not None or not listeners):
            on_message = self._worker.on_message  # type: ignore[union-attr] # nothing is delivered before construct()
            run = Handling(None if delivery is None else delivery.delivered)
            self._handlers.start(Call("on_message", on_message, (message,), is_async(on_message)), run)
            return
        if delivery is None:
            return
        try:
            delivery.begin(lambda: None)
        except CommandError:
            if not listeners:
                raise
            delivery.delivered("done", None, None)  # a message handler took it raw

    async def _phase(self, name: str, function: Callable[[], Any]) -> None:
        """Run the author's function inside the loop and wait; a cancellation is passed on and the wait ends at once."""

        async def phase() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._phases[task] = None
            task.add_done_callback(lambda _: self._phases.pop(task, None))
            result = function()
            if inspect.isawaitable(result):
                await result

        await self.loop.run(phase(), name=name, grace_s=0)

    def _dispatch(self, message: LegacyMessage) -> Awaitable[object]:
        """`BaseWorker.on_message`, from the loop or from the thread of a plain override."""
        if message.topic != topics.command(self._blueprint.prop_id):
            return Done()
        if threading.get_ident() != self._thread:
            self._complaints.soon(self._dispatch, message)
            return Done()
        over = self.loop.create_future()

        def end() -> None:
            if not over.done():  # cancelled, together with the on_message that waits
                over.set_result(None)

        try:
            command = parse_command(message.payload)
            if message._delivery is not None:
                message._delivery.begin(end)
            else:  # a message that the author made himself
                self.run(command, lambda ending, value, error: end())
        except CommandError as error:  # a refusal, said as one that came without on_message
            (message._delivery or self._reports).refused(error)
            return Done()
        return over

    def _end(self, run: Run, ending: Ending, value: object = None, error: str | None = None) -> None:
        """End a run from whichever thread it ran in, after `_report`."""
        if threading.get_ident() == self._thread:
            run.end(ending, value, error)
        else:
            with suppress(trio.RunFinishedError):  # a thread that outlived the host: nobody waits for it
                self._token.run_sync_soon(run.end, ending, value, error)
