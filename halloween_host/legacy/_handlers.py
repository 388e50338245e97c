"""A worker's handlers start in the order of their commands: async ones as tasks of its loop, plain ones in its threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs

from halloween_host.legacy._executor import WorkerThreads
from halloween_host.legacy._loop import GuestLoop
from halloween_host.worker import Call, is_async

__all__ = ["Handlers", "Report"]


class Report(Protocol):
    """Told what a handler raised; callable from any thread. `name` is the command's action or the function's name."""

    def __call__(self, name: str, error: BaseException) -> None: ...


@attrs.frozen
class _Waiting:
    """A plain handler that no thread has taken yet."""

    name: str
    function: Callable[..., object]
    args: tuple[Any, ...]


class Handlers:
    """Handlers of one instance: of commands (`start`) and of raw messages (`hear`)."""

    def __init__(self, loop: GuestLoop, report: Report) -> None:
        self._loop = loop
        self._report = report
        self._thread = threading.get_ident()
        self._waiting: deque[_Waiting] = deque()
        self._listener: WorkerThreads | None = None
        #: Set once no handler may start any more.
        self.closed = False
        #: The tasks of the handlers that run now.
        self.tasks: set[asyncio.Task[Any]] = set()

    def start(self, call: Call) -> asyncio.Future[Any]:
        """Start a handler; returns what ends with it. From the loop's own thread."""
        if call.is_async:
            return self._begin(call.action, call.function, *call.args)
        self._waiting.append(_Waiting(call.action, call.function, call.args))
        with self._loop.inside():
            return asyncio.wrap_future(self._loop.own_threads().submit(self._take_oldest))

    def hear(self, handler: Callable[[Any], object], message: object) -> None:
        """Call a message handler: one at a time, in a thread kept for that (2025's paho thread); an async one as a task."""
        name = getattr(handler, "__name__", "message handler")
        if is_async(handler):
            self._begin(name, handler, message)
            return
        if self._listener is None:
            self._listener = self._loop.new_threads(f"{self._loop.name} messages", 1)
        self._listener.submit(self._call, _Waiting(name, handler, (message,)))

    async def cancel(self, but: asyncio.Task[Any] | None) -> None:
        """Start no more, cancel those that run, `but` one, and wait for them; a thread cannot be cancelled."""
        self.closed = True
        self._waiting.clear()
        tasks = [task for task in self.tasks if task is not but]
        for task in tasks:
            task.cancel()
        await self._loop.wait_for(tasks)

    def _begin(self, name: str, function: Callable[..., Any], *args: Any) -> asyncio.Task[None]:
        async def handler() -> None:
            try:
                await function(*args)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 the handler's border: an Exception is reported, the worker lives on
                self._report(name, error)

        task = self._loop.begin(handler(), name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _take_oldest(self) -> None:
        """The thread's first act: threads start in any order, so each takes the oldest call, not a call of its own."""
        try:
            waiting = self._waiting.popleft()
        except IndexError:  # `cancel` emptied the queue
            return
        self._call(waiting)

    def _call(self, waiting: _Waiting) -> None:
        if self.closed:
            return
        try:
            result = waiting.function(*waiting.args)
        except BaseException as error:  # noqa: BLE001 the handler's border, in a thread that may outlive its worker
            self._report(waiting.name, error)
            return
        if inspect.isawaitable(result):  # a plain function that hands out a coroutine, a lambda for example
            self._loop.call_soon_threadsafe(self._await, waiting.name, result)

    def _await(self, name: str, result: Awaitable[object]) -> None:
        if not self.closed:
            self._begin(name, lambda: result)
        elif inspect.iscoroutine(result):
            result.close()
