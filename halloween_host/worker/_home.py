"""A Home runs one instance of a worker; it is all that a supervisor knows of a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import attrs

from halloween_host.commands import Command
from halloween_host.errors import CommandError
from halloween_host.worker._actions import Action
from halloween_host.worker._berth import Berth
from halloween_host.worker._common import CommonWorker
from halloween_host.worker._runs import Ended, Ending, Run

__all__ = ["THREADS", "TURN", "Arrival", "Blueprint", "Delivery", "Home", "HomeFactory", "Reports"]

#: Threads of one worker at most; each worker has its own limit, so that blocked calls of one never make another wait.
THREADS: Final = 64
#: Handlers of one worker that start before others get their turn.
TURN: Final = 50


@attrs.define  # frozen, making one would take three times as long, and there is one a message
class Arrival:
    """A message for a worker: on its own `cmd` topic, parsed once (`command` is the error when it is none), or on a subscription (None).

    `response_topic` and `correlation` are MQTT 5's: where its sender wants the answer, and what the answer carries back. Not to
    be changed.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    command: Command | CommandError | None
    response_topic: str | None = None
    correlation: bytes | None = None


@attrs.frozen
class Blueprint:
    """What a home makes an instance from; `cargo` is what the import of a legacy module left (its event loop)."""

    prop_id: str
    worker_class: type[CommonWorker]
    config: dict[str, Any]
    actions: Mapping[str, Action]
    cargo: object | None = None


class Reports(Protocol):
    """What a home tells its supervisor. Every call is plain, quick, made in Trio's thread, and never raises."""

    def crashed(self, task: str, error: BaseException) -> None:
        """An exception left a spawned task (or one that is no `Exception` left a handler): this instance has crashed."""

    def failed(self, action: str, error: Exception) -> None:
        """A handler raised: said on `status/error` and the log, and the worker lives on."""

    def refused(self, error: CommandError) -> None:
        """A command was not taken: said on `status/error` and the log, without a traceback."""

    def leaked(self, name: str) -> None:
        """A task that the author started past `spawn` still ran at the end and was cancelled; one line."""

    def stopped_itself(self) -> None:
        """The worker called its own `stop()` and it ran to its end: offline on purpose, not restarted."""


class Delivery(Protocol):
    """An arrival on the worker's own `cmd` on its way through whoever takes it raw; every call is made in Trio's thread."""

    def begin(self, over: Callable[[], None]) -> None:
        """The command's own handler shall start, as its mode wants it; `over` is called when that is over, refused or not.

        Raises:
            CommandError: when there is no such action or the argument does not fit; then `over` is not called.
        """

    def refused(self, error: CommandError) -> None:
        """There is no such action, or no command at all: it is refused, which is said as for one that nobody took raw."""

    def delivered(self, ending: Ending, value: object, error: str | None, /) -> None:
        """Whoever took it raw has ended; unless its own handler was begun, that is the command's end."""


class Home(Protocol):
    """Runs one instance, inside the async context that its factory made. All calls come from Trio's thread.

    Order: construct, start, (run | deliver)*, cancel_handlers, [cancel_spawned], stop, close. The author's code runs in tasks of
    the home's own: a call of ours that is cancelled (the supervisor's deadline) passes the cancellation on to that code and
    returns **at once**, whether or not the code heeds it. What does not heed it is named by `running` and waited for only by
    the context's exit (a Trio nursery cannot leave a task behind; a guest loop can, and does so at once).
    """

    @property
    def constructed(self) -> bool:
        """Whether there is an instance, whose `stop()` is owed."""

    @property
    def wants_arrivals(self) -> bool:
        """Whether arrivals on the worker's own `cmd` go to `deliver` (an overridden `on_message`, message handlers) instead of `run`."""

    @property
    def prompt(self) -> bool:
        """Whether a handler that is started now has few ahead of it that have not begun."""

    async def construct(self) -> None:
        """Make the instance with ``worker_class(prop_id, …, config)``. Raises what that raises."""

    async def start(self) -> None:
        """Run the worker's `start()` to its end. Raises what it raises, `SystemExit` and `KeyboardInterrupt` included."""

    def run(self, command: Command, ended: Ended | None = None, timeout_s: float | None = None) -> Run:
        """Start the handler of a command; handlers start in the order of these calls (async ones; sync ones among themselves).

        `ended` is told once how it ended; one that takes longer than `timeout_s` seconds is cancelled. What the author's code
        raises while its handler is looked up is reported as the handler's failure.

        Raises:
            CommandError: when there is no such action or the argument does not fit.
        """

    def deliver(self, arrival: Arrival, delivery: Delivery | None = None) -> None:
        """An arrival as it came; the home parses nothing, `arrival.command` is parsed already. Never blocks.

        One on the worker's own `cmd` comes with its `delivery`, which starts the command's handler in place of `run`.

        Raises:
            CommandError: as `run`, for an arrival on the worker's own `cmd` that nobody took raw.
        """

    async def cancel_handlers(self) -> None:
        """Start no more handlers, cancel those that run but the one that called `stop()`, wait until all of them ended."""

    async def cancel_spawned(self) -> None:
        """Cancel the spawned tasks and wait until they ended (after a crash, before `stop`)."""

    async def stop(self) -> None:
        """Run the worker's `stop()` to its end; nothing when it ran already. Raises what it raises."""

    def abort(self) -> None:
        """Cancel every handler, spawned task and phase at once, and start no more; plain, waits for nothing."""

    @property
    def has_safe(self) -> bool:
        """Whether there is an instance with an ``async def safe(self)``."""

    async def safe(self) -> None:
        """Run the worker's `safe()` to its end, `in_safe` set for it. Raises what it raises."""

    async def wait_ended(self) -> None:
        """Return once nothing of the author's runs any more, threads included."""

    async def close(self) -> None:
        """Cancel all that is left, wait until it ended, report leaked tasks."""

    def running(self) -> list[str]:
        """What still runs, as "name (file:line)", threads included."""


class HomeFactory(Protocol):
    """One a dialect. The berth comes without a spawner: the home puts itself there before `start()` and takes it away after `stop()`."""

    def __call__(self, blueprint: Blueprint, berth: Berth, reports: Reports) -> AbstractAsyncContextManager[Home]:
        """Open a home for one instance."""
