"""A worker's handlers start in the order of their commands: async ones as tasks of its loop, plain ones in its threads."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

import attrs

from halloween_host.legacy._executor import WorkerThreads
from halloween_host.legacy._loop import GuestLoop
from halloween_host.legacy._tally import Tally
from halloween_host.worker import Call, Ending, Run, describe, is_async

__all__ = ["End", "Handlers", "Handling", "Report"]


class Report(Protocol):
    """Told what a handler raised; callable from any thread. `name` is the command's action or the function's name."""

    def __call__(self, name: str, error: BaseException) -> None: ...


class End(Protocol):
    """Ends a run; callable from any thread."""

    def __call__(self, run: Run, ending: Ending, value: object = None, error: str | None = None) -> None: ...


class Handling(Run):
    """A handler's run; an async one may have a `timer`, which makes it `late`."""

    timer: asyncio.TimerHandle | None = None
    late = False


@attrs.frozen
class _Waiting:
    """A plain handler that no thread has taken yet."""

    name: str
    function: Callable[..., object]
    args: tuple[Any, ...]
    run: Handling


class _HandlerTask(asyncio.Task[None]):
    """A task that says when it was cancelled before its first step, too; any other end its coroutine has said.

    A done callback on every task would say it as well, for one more round of the loop a command.
    """

    __slots__ = ("_halloween_number", "handlers", "run")

    _halloween_number: int
    handlers: Handlers
    run: Handling

    def cancel(self, msg: object = None) -> bool:
        if not self.done():
            self.add_done_callback(_cancelled)
        return super().cancel(msg)


def _cancelled(task: _HandlerTask) -> None:
    task.handlers.leave(task.run, "cancelled")


class Handlers:
    """Handlers of one instance: of commands (`start`) and of raw messages (`hear`)."""

    def __init__(self, loop: GuestLoop, report: Report, end: End) -> None:
        self._loop = loop
        self._report = report
        self._end = end
        # Handlers are started from whichever task, and from a handler's end: each has a copy of its home's own context.
        self._context = copy_context()
        self._waiting: deque[_Waiting] = deque()
        self._listener: WorkerThreads | None = None
        #: Set once no handler may start any more.
        self.closed = False
        #: The handlers that run now as tasks, the oldest first.
        self.running: dict[Handling, asyncio.Task[Any]] = loop.tally.running

    def start(self, call: Call, run: Handling) -> None:
        """Start a handler; from the loop's own thread, in whichever task."""
        if call.is_async:
            self._begin(call.action, call.function, call.args, run)
            return
        self._waiting.append(_Waiting(call.action, call.function, call.args, run))
        # a plain handler cannot be cancelled: who asks for that goes on without it
        run.begin(lambda: run.end("cancelled"))
        with self._loop.inside():
            self._submit(self._loop.own_threads(), self._take_oldest)

    def hear(self, handler: Callable[[Any], object], message: object) -> None:
        """Call a message handler: one at a time, in a thread kept for that (2025's paho thread); an async one as a task."""
        name = getattr(handler, "__name__", "message handler")
        if is_async(handler):
            self._begin(name, handler, (message,), Handling())
            return
        if self._listener is None:
            self._listener = self._loop.new_threads(f"{self._loop.name} messages", 1)
        self._submit(self._listener, self._call, _Waiting(name, handler, (message,), Handling()))

    def abandon(self) -> None:
        """Start no more, and forget what waits for a thread."""
        self.closed = True
        while self._waiting:
            with suppress(IndexError):  # a thread may take it this very moment
                self._waiting.popleft().run.end("cancelled")

    async def cancel(self, but: asyncio.Task[Any] | None) -> None:
        """Start no more, cancel those that run, `but` one, and wait for them; a thread cannot be cancelled."""
        self.abandon()
        tasks = [task for task in self.running.values() if task is not but]
        for task in tasks:
            task.cancel()
        await self._loop.wait_for(tasks)

    def mark_stopper(self, task: asyncio.Task[Any] | None) -> None:
        """`task` called the worker's `stop()`, which lets it go on, should it be a handler's."""
        for run, each in self.running.items():
            run.stopper |= each is task

    def leave(self, run: Handling, ending: Ending, value: object = None) -> None:
        """A handler that ran as a task has ended."""
        if isinstance(self.running.pop(run, None), _HandlerTask):
            Tally.running_count -= 1
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None
        if run.late:
            ending, value = "timeout", None
        run.end(ending, value)

    def _begin(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], run: Handling) -> None:
        loop, context = self._loop, self._context.copy()
        if run.timeout_s is not None:
            run.timer = loop.call_later(run.timeout_s, self._cancel_late, run, context=self._context)
        coroutine = self._handle(name, function, args, run)
        task: asyncio.Task[Any]
        if loop.get_task_factory() is None:
            task = own = _HandlerTask(coroutine, loop=loop, name=name, context=context)
            own._halloween_number = next(loop.numbers)
            own.handlers, own.run = self, run
            Tally.running_count += 1
        else:
            task = context.run(loop.begin, coroutine, name)
            task.add_done_callback(lambda _: self.leave(run, "cancelled"))
        if not run.over:  # an eager factory's may be
            self.running[run] = task

    async def _handle(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], run: Handling) -> None:
        run.begin(asyncio.current_task(self._loop).cancel)  # type: ignore[union-attr] # no local name: a traceback would keep it
        if run.asked:  # before it began
            self.leave(run, "cancelled")
            return
        try:
            value = await function(*args)
        except asyncio.CancelledError:
            self.leave(run, "cancelled")
            raise
        except BaseException as error:  # noqa: BLE001 the handler's border: an Exception is reported, the worker lives on
            self._report(name, error)
            run.end("failed", None, describe(error, "legacy"))
            self.leave(run, "failed")
        else:
            if run.asked:
                self.leave(run, "cancelled")
            else:
                self.leave(run, "done", value)

    def _cancel_late(self, run: Handling) -> None:
        if not run.asked:  # else it is ending already
            run.late = True
            self.running[run].cancel()

    def _submit(self, threads: WorkerThreads, function: Callable[..., None], *args: Any) -> None:
        self._context.copy().run(threads.submit, function, *args)

    def _take_oldest(self) -> None:
        """The thread's first act: threads start in any order, so each takes the oldest call, not a call of its own."""
        try:
            waiting = self._waiting.popleft()
        except IndexError:  # `cancel` emptied the queue
            return
        self._call(waiting)

    def _call(self, waiting: _Waiting) -> None:
        if self.closed or waiting.run.over or waiting.run.comes_too_late():
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
            self._begin(waiting.name, lambda: result, (), waiting.run)
            return
        if inspect.iscoroutine(result):
            result.close()
        waiting.run.end("cancelled")
