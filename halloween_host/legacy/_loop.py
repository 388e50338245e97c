"""CPython's own asyncio loop as a guest of Trio: a Trio task waits for what the loop waits for, then turns it once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

import outcome
import trio
from typing_extensions import TypeVarTuple, Unpack

from halloween_host.legacy._cpython import forget
from halloween_host.legacy._drive import DrivenLoop
from halloween_host.legacy._executor import WorkerThreads, settled
from halloween_host.legacy._places import name_of_coroutine
from halloween_host.legacy._tally import Tally

__all__ = ["GuestLoop", "open_loop"]

T = TypeVar("T")
ArgsT = TypeVarTuple("ArgsT")

#: A cancelled coroutine that Trio waits for gets this long to end.
GRACE_S: Final = 5.0
#: The name of tasks that are the loop's own: never among those that would not end.
_OURS: Final = "halloween_host"


class GuestLoop(DrivenLoop):
    """An asyncio loop that `open_loop` drives inside a Trio task; it may be made, and given work, before it is driven.

    Its drive ends by `shut` alone: a cancellation around it becomes `task.cancel()`, so that asyncio's tasks can end in
    good order. `on_crash` is told of `loop.stop()` too, which must not happen inside a loop that belongs to the host.
    """

    def __init__(self, name: str = "asyncio", *, threads: int = 64) -> None:
        """At most `threads` run at once, called `name`. Make it inside `trio.run` if Trio's clock there is a mock."""
        super().__init__()
        self.name = name
        #: Seconds that what runs here gets to end when whoever opened the loop leaves.
        self.grace_s = GRACE_S
        self._most_threads = threads
        #: Every pool of threads that runs this worker's code.
        self.pools: list[WorkerThreads] = []
        self._own_threads: WorkerThreads | None = None
        #: Tasks are numbered: what is cancelled together ends in the order it began.
        self.numbers = itertools.count()
        self.tally = Tally()
        self._wrapped: dict[asyncio.Task[Any], Coroutine[Any, Any, Any]] = {}

    # -- for asyncio, from inside

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        task._halloween_number = next(self.numbers)  # type: ignore[attr-defined]
        if not task.done():  # an eager factory's may be
            self.tally.note(task)
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[ArgsT]], T], *args: *ArgsT
    ) -> asyncio.Future[T]:
        if executor is None and self._default_executor is None and not self.is_closed():
            self._default_executor = self.own_threads()
        return super().run_in_executor(executor, func, *args)

    def own_threads(self) -> WorkerThreads:
        """The pool for `to_thread` and `run_in_executor`, made at its first use."""
        if self._own_threads is None:
            self._own_threads = self.new_threads(self.name, self._most_threads)
        return self._own_threads

    def new_threads(self, name: str, most: int) -> WorkerThreads:
        """Another pool of at most `most` threads, counted, named and ended with the loop."""
        self.pools.append(WorkerThreads(name, most))
        return self.pools[-1]

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[ArgsT]], object], *args: *ArgsT) -> NoReturn:
        # NotImplementedError is what libraries are ready for: Windows' loops raise it.
        raise NotImplementedError(
            "add_signal_handler(): signals are the host's; it stops every worker in order and calls its stop()"
        )

    def run_forever(self) -> NoReturn:
        raise RuntimeError("this event loop is driven by the host: await the coroutine or create a task instead")

    def run_until_complete(self, future: Any) -> NoReturn:
        if asyncio.iscoroutine(future):
            future.close()
        self.run_forever()

    def stop(self) -> None:
        error = RuntimeError("loop.stop() was called, but the loop is the host's: call self.stop() instead")
        self.call_soon_threadsafe(self.on_crash, error)

    # -- for Trio, from outside

    def begin(
        self,
        coroutine: Coroutine[Any, Any, T],
        name: str | None = None,
        *,
        wraps: Coroutine[Any, Any, Any] | None = None,
    ) -> asyncio.Task[T]:
        """Start an asyncio task; tasks start in the order of these calls.

        `wraps` is what `coroutine` is going to await: when it is cancelled before it came to that, both are closed.
        """
        if self.get_task_factory() is None:
            task = self.create_task(coroutine, name=name)
        else:  # an eager factory (Python 3.12) takes the first step at once
            with self.inside():
                task = self.create_task(coroutine, name=name)
        if wraps is not None:
            self._wrapped[task] = wraps
            task.add_done_callback(self._close_wrapped)
        return task

    async def run(self, coroutine: Coroutine[Any, Any, T], *, name: str | None = None, grace_s: float = GRACE_S) -> T:
        """Run a coroutine as an asyncio task and wait for its result; no checkpoint when it need not be waited for.

        A cancellation of the caller becomes `task.cancel()`; the task gets `grace_s` seconds to end, then the caller
        goes on without it (at once with 0).

        Raises:
            BaseException: what the coroutine raised, `SystemExit` and asyncio's `CancelledError` included.
        """
        with self.turned_here():
            task = self.begin(_kept(coroutine), name, wraps=coroutine)
        try:
            await self.wait_for([task])
        except trio.Cancelled:
            task.cancel()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + grace_s):
                await self.wait_for([task])
            if task.done() and not task.cancelled():
                task.result()
            raise
        return task.result().unwrap()

    async def wait_for(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """Wait until all have ended; a cancellation ends the wait and leaves them be."""
        for task in tasks:
            if not task.done():
                ended = trio.Event()
                task.add_done_callback(lambda _, ended=ended: ended.set())  # type: ignore[misc] # mypy infers no default
                await ended.wait()

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Every task of this loop that has not ended, the oldest first."""
        return sorted(self.tally.unfinished(self), key=lambda task: getattr(task, "_halloween_number", 0))

    async def cancel_all(self) -> None:
        """Cancel every task, also those that start meanwhile, and wait until all have ended."""
        while tasks := self.unfinished():
            for task in tasks:
                task.cancel()
            await self.wait_for(tasks)

    async def wind_up(self) -> None:
        """`cancel_all`, then close generators, servers and connections, and wait for calls in threads."""
        await self.cancel_all()
        if not self.is_tidy():
            await self.run(self.put_away(), name=_OURS, grace_s=0)
        await self.wait_for_threads()

    async def wait_for_threads(self) -> None:
        """Wait until every call in a thread has ended; a cancellation ends the wait and leaves them be."""
        if futures := [future for pool in self.pools for future in pool.unfinished()]:
            await self.run(settled(futures), name=_OURS, grace_s=0)

    async def shut(self, seconds: float = GRACE_S) -> list[str]:
        """`wind_up` within `seconds`, whatever is cancelled around it, and end the drive; names what would not end."""
        stubborn = []
        if self.unfinished() or self.pools or not self.is_tidy():
            with trio.CancelScope(shield=True, deadline=trio.current_time() + seconds):
                await self.wind_up()
            stubborn = self.names()
        self.end_drive()
        return stubborn

    def names(self) -> list[str]:
        """What has not ended, as "name (file:line)", calls in threads included."""
        tasks = [name_of_coroutine(task.get_coro()) for task in self.unfinished() if task.get_name() != _OURS]
        return sorted(tasks) + [name for pool in self.pools for name in pool.names()]

    def discard(self) -> None:
        """Close a loop that is driven no more, or never was, together with what was left in it."""
        for task in self.unfinished():
            forget(task)
            with (
                self.inside(),
                suppress(BaseException),
            ):  # an author's `finally` at its very end; nobody is left to tell
                task.get_coro().close()
        for task in list(self._wrapped):
            self._close_wrapped(task)
        for pool in self.pools:  # never waits: a thread that runs on was named
            pool.shutdown(wait=False, cancel_futures=True)
        self.tally.close()
        self.close()

    def _close_wrapped(self, task: asyncio.Task[Any]) -> None:
        """Nothing is said to be "never awaited" of a coroutine that was cancelled before its first step."""
        if (coroutine := self._wrapped.pop(task, None)) is not None:
            with suppress(BaseException):
                coroutine.close()


@asynccontextmanager
async def open_loop(loop: GuestLoop | None = None) -> AsyncIterator[GuestLoop]:
    """Drive a loop (a new one by default) while open; at the end `shut` it within its `grace_s` seconds and close it."""
    loop = loop or GuestLoop()
    try:
        async with trio.open_nursery() as nursery:
            loop.adopt()
            # never nursery.start(): under a cancellation it would wait for the drive, which does not heed that
            nursery.start_soon(loop.drive, nursery)
            try:
                yield loop
            finally:
                await loop.shut(loop.grace_s)
    finally:
        loop.discard()


async def _kept(coroutine: Coroutine[Any, Any, T]) -> outcome.Outcome[T]:
    """SystemExit and KeyboardInterrupt kept for who waits, so that they do not leave the loop's iteration too."""
    try:
        return outcome.Value(await coroutine)
    except (SystemExit, KeyboardInterrupt) as error:
        return outcome.Error(error)
