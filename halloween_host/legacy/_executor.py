"""A worker's threads: its own pool, which knows what runs in it and where."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import attrs

from halloween_host.legacy._places import name_of_function, name_of_thread

__all__ = ["WorkerThreads", "settled"]

P = ParamSpec("P")
T = TypeVar("T")


@attrs.define(eq=False)
class _Call:
    """One call that was handed to the pool and has not ended; `thread` once it runs."""

    function: Callable[..., Any]
    future: Future[Any] | None = None
    thread: int = 0

    def run(self, context: contextvars.Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.thread = threading.get_ident()
        return context.run(self.function, *args, **kwargs)

    def name(self) -> str:
        return "thread in " + (name_of_thread(self.thread) or name_of_function(self.function))


class WorkerThreads(ThreadPoolExecutor):
    """A thread pool whose calls inherit the caller's context (a log line knows its worker), counted and named."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._calls: dict[_Call, None] = {}

    @property
    def busy(self) -> int:
        """Calls that were handed over and have not ended; virtual time must not jump while there are any."""
        return len(self._calls)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        call = _Call(fn)
        self._calls[call] = None  # before the thread may ask how many there are
        try:
            future: Future[T] = super().submit(call.run, contextvars.copy_context(), args, kwargs)
        except RuntimeError:  # shut down already
            self._calls.pop(call, None)
            raise
        call.future = future
        future.add_done_callback(lambda _: self._calls.pop(call, None))
        return future

    def unfinished(self) -> list[Future[Any]]:
        """The futures of the calls that have not ended."""
        return [call.future for call in list(self._calls) if call.future is not None]

    def names(self) -> list[str]:
        """The calls that run now, as "thread in name (file:line)"."""
        return sorted(call.name() for call in list(self._calls) if call.thread)


async def settled(futures: Collection[Future[Any]]) -> None:
    """Wait, inside an asyncio loop, until calls have ended, whatever came of them."""
    calls = [asyncio.wrap_future(future) for future in futures]
    await asyncio.wait(calls)
    for call in calls:
        if not call.cancelled():
            call.exception()  # seen: it was its caller's to handle
