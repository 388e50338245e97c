"""Virtual time: when nothing can happen before the next deadline, and no thread works, it is that deadline at once."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, ParamSpec

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from halloween_host.errors import StageError
from halloween_host.testing._calls import PATIENCE_S, StageThreads
from halloween_host.testing._threads import counted_threads

__all__ = ["StageTime", "rehearsal", "stage_clock", "virtual_time"]

P = ParamSpec("P")

#: Real seconds without any event between two looks at threads that work, or at a stage where no deadline is set.
LOOK_S: Final = 0.05


def rehearsal(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Make an async test a plain one, which any test runner calls: it runs under Trio in virtual time.

    Parameters and fixtures stay; a fixture must be a plain one. An error that is alone in its exception group leaves bare.

    Synopsis::

        @rehearsal
        async def test_the_lid_opens() -> None:
            async with rehearse([Coffin]) as show:
                ...
    """
    if not inspect.iscoroutinefunction(test):
        name = getattr(test, "__qualname__", repr(test))
        raise StageError(
            f"@rehearsal takes an async function, and {name} is none; of several decorators it is the lowest"
        )

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        __tracebackhide__ = True
        try:
            trio.run(functools.partial(test, *args, **kwargs), clock=MockClock())
            return
        except BaseExceptionGroup as group:
            errors = list(_leaves(group))
            if len(errors) > 1:
                raise
        raise errors[0]

    return run


class StageTime:
    """Moves the run's mock clock, from deadline to deadline, while `virtual_time` is open."""

    def __init__(self, clock: MockClock, threads: StageThreads) -> None:
        self._clock = clock
        self._threads = threads
        self._start = clock.current_time()
        self._token = trio.lowlevel.current_trio_token()
        self._looks: list[trio.CancelScope] = []
        self._holds = 0
        self._released = trio.Event()
        #: How often time has jumped.
        self.jumps = 0
        threads.on_quiet = self._on_quiet

    @property
    def now(self) -> float:
        """Virtual seconds since the stage opened; from any thread."""
        return self._clock.current_time() - self._start

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While open, time stands still."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._released.set()
                self._released = trio.Event()

    async def settle(self) -> None:
        """Return once all that can happen at this moment has happened, threads included; no time passes.

        `trio.testing.wait_all_tasks_blocked()` promises less here: time may jump as it returns.
        """
        with self.hold():
            await self._quiet()

    async def drive(self) -> None:
        """Jump to each next deadline, for ever."""
        statistics = trio.lowlevel.current_statistics
        while True:
            await self._quiet()
            if self._holds:
                await self._released.wait()
                continue
            seconds = statistics().seconds_to_next_deadline
            if seconds == math.inf:  # only the real world can wake anybody
                await wait_all_tasks_blocked(LOOK_S)
            elif seconds > 0:
                self._clock.jump(seconds)
                self.jumps += 1

    async def _quiet(self) -> None:
        """Return when every task waits, and no thread had a hand in anything since before that was looked at."""
        threads = self._threads
        while True:
            changes = threads.changes
            await wait_all_tasks_blocked()
            if threads.busy:
                await self._look_at_threads()
            elif threads.changes == changes:
                return

    async def _look_at_threads(self) -> None:
        """Wait until a thread ceases to work, for a look's time at most."""
        self._threads.forget_late()
        with trio.CancelScope() as look:
            self._looks.append(look)
            try:
                if self._threads.busy:  # asked once more: from here on its end wakes us
                    await wait_all_tasks_blocked(LOOK_S)
            finally:
                self._looks.remove(look)

    def _on_quiet(self) -> None:
        if self._looks:
            try:
                self._token.run_sync_soon(self._wake, idempotent=True)
            except trio.RunFinishedError:  # a thread that outlived the rehearsal
                return

    def _wake(self) -> None:
        for look in self._looks:
            look.cancel()


@asynccontextmanager
async def virtual_time(*, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> AsyncIterator[StageTime]:
    """While open, time jumps whenever nothing else can happen, and threads are counted (see `counted_threads`).

    Raises:
        StageError: when Trio's clock is no `MockClock`, or another rehearsal is open.
    """
    clock = stage_clock()
    with counted_threads(say=say, patience_s=patience_s) as threads:
        # Trio's own jump does not wait for threads
        autojump, clock.autojump_threshold = clock.autojump_threshold, math.inf
        try:
            async with trio.open_nursery() as nursery:
                time = StageTime(clock, threads)
                nursery.start_soon(time.drive, name="virtual time")
                yield time
                nursery.cancel_scope.cancel()
        finally:
            clock.autojump_threshold = autojump


def stage_clock() -> MockClock:
    """The run's clock.

    Raises:
        StageError: when it is no `MockClock`.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock):
        raise StageError(
            "a rehearsal needs a clock that it can move, and this run goes by the computer's: write @rehearsal (from "
            "halloween_host.testing) above the test, or trio.run(main, clock=trio.testing.MockClock()); with pytest-trio "
            "the fixture mock_clock does it"
        )
    return clock


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
