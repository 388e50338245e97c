"""The drive: a Trio task turns an asyncio loop once for all that came since, and sleeps while the loop has nothing to do."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import trio
from trio.lowlevel import Abort

from halloween_host.legacy._cpython import SteppedLoop, is_real_clock

__all__ = ["DrivenLoop"]

#: Enough for a task that ends spawned ones and waits for them: its step, theirs, who waited for them, and what hears of its end.
TURNS_HERE: Final = 6


class DrivenLoop(SteppedLoop):
    """A loop that Trio turns once somebody has called `adopt` and started `drive`; work that it is given before waits for that.

    The drive is shielded and ends by `end_drive` alone. It sleeps without a descriptor: what comes in Trio's thread reschedules
    its task, which is no system call, and other threads come by Trio's token. Only a loop that has descriptors gets a second
    task, which waits for them. `on_crash` is told what leaves an iteration (`SystemExit`, `KeyboardInterrupt`); the loop goes on.
    """

    asleep: trio.lowlevel.Task | None = None

    def __init__(self) -> None:
        self._clock: trio.abc.Clock | None = None
        self._read_clock()
        super().__init__()
        self.on_crash: Callable[[BaseException], None] = lambda error: None
        self._token: trio.lowlevel.TrioToken | None = None
        self._driven = trio.CancelScope(shield=True)
        self._watched: trio.CancelScope | None = None
        self._over = False
        self._timer: float | None = None

    def time(self) -> float:
        # Libraries take loop.time() for time.monotonic() (zeroconf does); under a mock clock it is Trio's.
        return time.monotonic() if self._clock is None else self._clock.current_time()

    def adopt(self) -> None:
        """The current thread is the one that turns this loop from here on."""
        self._read_clock()
        self._token = trio.lowlevel.current_trio_token()
        self._over, self._watched = False, None
        self.thread = threading.get_ident()

    async def drive(self, nursery: trio.Nursery) -> None:
        """Turn the loop whenever it has something to do, until `end_drive`. `nursery` is where its other task may live."""
        task = trio.lowlevel.current_task()
        while not self._over:
            self._timer = None
            with trio.CancelScope(shield=True) as self._driven:
                while not self._over:
                    await self._rest(task, nursery)
                    self._turn()
            self._turn()  # a timer is due: its time is the scope's deadline
        self.thread = None

    def end_drive(self) -> None:
        """Turn the loop no more."""
        self._over = True
        self._driven.cancel()
        if self._watched is not None:
            self._watched.cancel()

    def wake(self) -> None:
        if threading.get_ident() == self.thread:
            self._rouse()
        else:  # stock asyncio bears this misuse; Trio does not
            self.wake_from_thread()

    def wake_from_thread(self) -> None:
        # who is awake looks for work before it falls asleep
        if self.asleep is not None and self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._rouse, idempotent=True)

    @contextmanager
    def turned_here(self) -> Iterator[None]:
        """What the block brings a sleeping loop is done at its end, as far as that goes in a few turns: no task is woken for it.

        It leaves the rest to the drive, and all of it when the caller is cancelled or the loop is up already.
        """
        sleeper, self.asleep = self.asleep, None
        try:
            yield
            if sleeper is not None and trio.current_effective_deadline() > -math.inf:
                for _ in range(TURNS_HERE):
                    if self.has_work:
                        self._turn()
        finally:
            if sleeper is not None:
                self.asleep = sleeper  # before the look, as in `_rest`
                opened = self._watched is None and self.poll_fd is not None
                if self.has_work or opened or self.next_timer != self._timer:
                    self._rouse()

    async def _rest(self, task: trio.lowlevel.Task, nursery: trio.Nursery) -> None:
        """Let others have their turn, and sleep while there is nothing to do."""
        if self._watched is None and self.poll_fd is not None:
            self._watched = trio.CancelScope(shield=True)
            nursery.start_soon(self._watch, self._watched)
        self.asleep = task  # before the look: a thread that brings something meanwhile looks in the reverse order
        if self.has_work:
            self.asleep = None
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            self._set_alarm()
            await trio.lowlevel.wait_task_rescheduled(self._abort_sleep)

    async def _watch(self, scope: trio.CancelScope) -> None:
        """Turn the loop whenever one of its descriptors is ready."""
        with scope:
            while (poll_fd := self.poll_fd) is not None:
                await trio.lowlevel.wait_readable(poll_fd)
                self._turn()

    def _turn(self) -> None:
        if not self._over and (error := self.turn()) is not None:
            self.on_crash(error)

    def _rouse(self) -> None:
        task, self.asleep = self.asleep, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _abort_sleep(self, _: Any) -> Abort:
        self.asleep = None
        return Abort.SUCCEEDED

    def _set_alarm(self) -> None:
        """Sleep until the next timer is due and no longer."""
        when = self.next_timer
        if when != self._timer:
            self._timer = when
            wait_s = math.inf if when is None else when - self.time()
            self._driven.deadline = trio.current_time() + (0.0 if math.isnan(wait_s) else wait_s)

    def _read_clock(self) -> None:
        if trio.lowlevel.in_trio_run():
            clock = trio.lowlevel.current_clock()
            self._clock = None if is_real_clock(clock) else clock
