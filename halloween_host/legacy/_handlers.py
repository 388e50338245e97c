"""A worker's handlers start in the order of their commands: async ones as tasks of its loop, plain ones in its threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import attrs

from halloween_host.legacy._executor import WorkerThreads
from halloween_host.legacy._loop import GuestLoop
from halloween_host.worker import Call, Ending, Run, describe, is_async

__all__ = ["End", "Handlers", "Report"]


class Report(Protocol):
    """Told what a handler raised; callable from any thread. `name` is the command's action or the function's name."""

    def __call__(self, name: str, error: BaseException) -> None: ...


class End(Protocol):
    """Ends a run; callable from any thread."""

    def __call__(self, run: Run, ending: Ending, value: object = None, error: str | None = None) -> None: ...


@attrs.frozen
class _Waiting:
    """A plain handler that no thread has taken yet."""

    name: str
    function: Callable[..., object]
    args: tuple[Any, ...]
    run: Run


class Handlers:
    """Handlers of one instance: of commands (`start`) and of raw messages (`hear`)."""

    def __init__(self, loop: GuestLoop, report: Report, end: End) -> None:
        self._loop = loop
        self._report = report
        self._end = end
        self._thread = threading.get_ident()
        self._waiting: deque[_Waiting] = deque()
        self._listener: WorkerThreads | None = None
        #: Set once no handler may start any more.
        self.closed = False
        #: The handlers that run now as tasks, the oldest first.
        self.tasks: dict[asyncio.Task[Any], Run] = {}

    def start(self, call: Call, run: Run) -> None:
        """Start a handler; from the loop's own thread."""
        if call.is_async:
            self._begin(call.action, call.function, *call.args, run=run)
            return
        self._waiting.append(_Waiting(call.action, call.function, call.args, run))
        # a plain handler cannot be cancelled: who asks for that goes on without it
        run.begin(lambda: run.end("cancelled"))
        with self._loop.inside():
            self._loop.own_threads().submit(self._take_oldest)

    def hear(self, handler: Callable[[Any], object], message: object) -> None:
        """Call a message handler: one at a time, in a thread kept for that (2025's paho thread); an async one as a task."""
        name = getattr(handler, "__name__", "message handler")
        if is_async(handler):
            self._begin(name, handler, message, run=Run())
            return
        if self._listener is None:
            self._listener = self._loop.new_threads(f"{self._loop.name} messages", 1)
        self._listener.submit(self._call, _Waiting(name, handler, (message,), Run()))

    def abandon(self) -> None:
        """Start no more, and forget what waits for a thread."""
        self.closed = True
        while self._waiting:
            with suppress(IndexError):  # a thread may take it this very moment
                self._waiting.popleft().run.end("cancelled")

    async def cancel(self, but: asyncio.Task[Any] | None) -> None:
        """Start no more, cancel those that run, `but` one, and wait for them; a thread cannot be cancelled."""
        self.abandon()
        tasks = [task for task in self.tasks if task is not but]
        for task in tasks:
            task.cancel()
        await self._loop.wait_for(tasks)

    def _begin(self, name: str, function: Callable[..., Any], *args: Any, run: Run) -> None:
        late = False
        ending: Ending = "cancelled"
        value: object = None

        async def handler() -> None:
            nonlocal ending, value
            try:
                value = await function(*args)
                ending = "cancelled" if run.asked else "done"
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 the handler's border: an Exception is reported, the worker lives on
                self._report(name, error)
                run.end("failed", None, describe(error, "legacy"))  # now: a crash cancels all that has not ended

        def cancel_late() -> None:
            nonlocal late
            if not run.asked:  # else it is ending already
                late = True
                task.cancel()

        def ended(_: asyncio.Task[None]) -> None:
            if timer is not None:
                timer.cancel()
            self.tasks.pop(task, None)
            last: Ending = "timeout" if late else ending
            run.end(last, value if last == "done" else None)

        timer = None if run.timeout_s is None else self._loop.call_later(run.timeout_s, cancel_late)
        task = self._loop.begin(handler(), name)
        self.tasks[task] = run
        run.begin(task.cancel)
        task.add_done_callback(ended)

    def _take_oldest(self) -> None:
        """The thread's first act: threads start in any order, so each takes the oldest call, not a call of its own."""
        try:
            waiting = self._waiting.popleft()
        except IndexError:  # `cancel` emptied the queue
            return
        self._call(waiting)

    def _call(self, waiting: _Waiting) -> None:
        if self.closed or waiting.run.over:
            self._end(waiting.run, "cancelled")
            return
        try:
            result = waiting.function(*waiting.args)
        except BaseException as error:  # noqa: BLE001 the handler's border, in a thread that may outlive its worker
            self._report(waiting.name, error)
            self._end(waiting.run, "failed", None, describe(error, "legacy"))
            return
        if inspect.isawaitable(result):  # a plain function that hands out a coroutine, a lambda for example
            self._loop.call_soon_threadsafe(self._await, waiting, result)
        else:
            self._end(waiting.run, "done", result)

    def _await(self, waiting: _Waiting, result: Awaitable[object]) -> None:
        if not self.closed:
            self._begin(waiting.name, lambda: result, run=waiting.run)
            return
        if inspect.iscoroutine(result):
            result.close()
        waiting.run.end("cancelled")
