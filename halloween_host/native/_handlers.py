"""A worker's handlers start in the order of their commands: async ones in tasks of its nursery, plain ones in its threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Final

import structlog
import trio

from halloween_host.express import Express
from halloween_host.flag import PASSED, Flag
from halloween_host.native._relay import Relay
from halloween_host.native._running import Handling, Running, current, entered
from halloween_host.native._waiting import never_waits
from halloween_host.worker import THREADS, Ending, Run, describe, place_in_thread, split_cancelled

__all__ = ["Handlers"]

#: What waits for a thread while nothing ever has: an empty deque takes more than half a kibibyte.
_NONE: Final[deque[Handling]] = deque()
#: The scope of those that cannot wait: never entered, there is nothing in them to be cancelled.
_NO_SCOPE: Final = trio.CancelScope()

_log: Final = structlog.stdlib.get_logger()


class Handlers:
    """Handlers of one instance. `say` is told, in Trio's thread, what one of them raised, with the name of its action."""

    def __init__(
        self, nursery: trio.Nursery, prop_id: str, say: Callable[[str, BaseException], None], express: Express
    ) -> None:
        #: The handlers that wait for something now, or run in threads, the oldest first.
        self.running: dict[Running, None] = {}
        #: Set once no handler may start any more.
        self.closed = False
        self._nursery = nursery
        self._prop_id = prop_id
        self._say = say
        self._express = express
        self._token = trio.lowlevel.current_trio_token()
        self._context = copy_context()
        # Made for the first handler of each kind: most workers of a thousand wait for theirs all night.
        self._relay: Relay | None = None
        self._limiter: trio.CapacityLimiter | None = None
        # Threads, too, start in any order, so each takes the oldest handler, not one of its own.
        self._sync: deque[Handling] = _NONE
        self._in_threads: dict[int, str] = {}
        self._thread_ended = PASSED

    @property
    def ahead(self) -> int:
        """How many async handlers were started and have not begun."""
        return 0 if self._relay is None else len(self._relay.waiting)

    def start(self, handling: Handling) -> None:
        """Start a handler: an async one in its turn among the async ones, a plain one likewise; from whichever task."""
        if handling.call.is_async:
            alone = self._express.open and handling.timeout_s is None and not self.ahead
            if alone and never_waits(handling.call.function):
                self._run_at_once(handling)
                return
            if self._relay is None:
                name = f"{self._prop_id}.handlers"
                self._relay = Relay(self._nursery, name, self.running, self._handle, self._context)
            self._relay.start(handling)
            return
        if self._limiter is None:
            self._limiter, self._sync = trio.CapacityLimiter(THREADS), deque()
        self._sync.append(handling)
        self._context.run(self._nursery.start_soon, self._run_oldest_in_thread)

    def abandon(self) -> None:
        """Start no more, and forget what has not started yet."""
        self.closed = True
        for waiting in [self._sync] if self._relay is None else [self._relay.waiting, self._sync]:
            while waiting:
                with suppress(IndexError):  # a thread may take it this very moment
                    waiting.popleft().end("cancelled")

    def in_threads(self) -> list[str]:
        """The plain handlers whose threads run on, as "thread in name (file:line)"."""
        return [f"thread in {name}{_place_in(ident)}" for ident, name in list(self._in_threads.items())]

    async def wait_for_threads(self) -> None:
        """Once `closed`: wait until no thread runs a handler any more."""
        while True:
            self._thread_ended = Flag()
            if not self._in_threads:
                return
            await self._thread_ended.wait()

    def _run_at_once(self, handling: Handling) -> None:
        """Without a task of its own, which a handler that never waits cannot miss."""
        self._express.worker = self._prop_id
        handling.scope = _NO_SCOPE
        try:
            self._context.copy().run(self._handle(handling).send, None)
        except (StopIteration, trio.Cancelled):  # a `Cancelled` that the author kept: no scope of ours waits for it
            return

    async def _handle(self, handling: Handling) -> None:
        """A handler of the author's from its first line to what became of it."""
        current.set(handling)
        call = handling.call
        ending: Ending = "cancelled"
        value: object = None
        text: str | None = None
        handling.begin(handling.scope.cancel)
        try:
            if not handling.asked:
                value = await call.function(*call.args)
                ending = "cancelled" if handling.asked else "done"
        except BaseException as error:  # noqa: BLE001 the handler's border: an Exception is reported and the worker lives on
            cancelled, failed = split_cancelled(error)
            if failed is not None:
                ending, text = "failed", describe(failed, "native")
                self._say(call.action, failed)
            if cancelled is not None:
                raise cancelled from None
        finally:
            if handling.timeout_s is not None and ending != "failed" and handling.late:
                ending = "timeout"
            handling.leave(self.running)
            handling.end(ending, value if ending == "done" else None, text)

    async def _run_oldest_in_thread(self) -> None:
        running = Running("a plain handler")
        try:
            with entered(running, self.running), running.scope:
                await trio.to_thread.run_sync(
                    self._thread_takes_oldest, running, limiter=self._limiter, abandon_on_cancel=True
                )
        finally:
            if running.run is not None:  # cancelled, and its thread left to itself; else it has ended already
                running.run.end("cancelled")

    def _thread_takes_oldest(self, running: Running) -> None:
        """The thread's first act: a limiter reshuffles the tasks that wait for it, so order is kept by taking here."""
        try:
            run = self._sync.popleft()
        except IndexError:  # `abandon` emptied the queue
            return
        call = run.call
        running.name, running.run = run.name, run
        run.begin(running.scope.cancel)
        if run.asked:
            return
        self._in_threads[threading.get_ident()] = running.name
        try:
            value = call.function(*call.args)
        except BaseException as error:  # noqa: BLE001 the handler's border, in a thread that may be abandoned already
            try:
                self._token.run_sync_soon(self._failed, call.action, run, error)
            except trio.RunFinishedError:
                _log.error(f"{call.action}: failed after the host's end", worker=self._prop_id, exc_info=error)
        else:
            with suppress(trio.RunFinishedError):  # a thread that outlived the host: nobody waits for it
                self._token.run_sync_soon(run.end, "done", value)
        finally:
            self._in_threads.pop(threading.get_ident(), None)
            if self.closed:
                with suppress(trio.RunFinishedError):
                    self._token.run_sync_soon(self._thread_ended.set)

    def _failed(self, action: str, run: Run, error: BaseException) -> None:
        self._say(action, error)
        run.end("failed", None, describe(error, "native"))


def _place_in(thread: int) -> str:
    """Where the author's code stands in a thread, as " (worker.py:31)"."""
    place = place_in_thread(thread)
    return f" ({place})" if place else ""
