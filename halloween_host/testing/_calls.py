"""A call in a thread counts from the moment it is handed over to its end, but for the times when it waits for the event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import attrs
from structlog.contextvars import get_contextvars

from halloween_host.worker import place_in_thread

__all__ = ["PATIENCE_S", "Call", "StageThreads", "Wait", "here", "started_at", "worker_here"]

#: Real seconds that the event loop's thread waits for a thread that it started or answered, before it goes on without it.
MOMENT_S: Final = 0.05
#: Real seconds after which a thread holds virtual time no longer.
PATIENCE_S: Final = 5.0


@attrs.define(eq=False)
class Call:
    """A piece of work in a thread, from the moment it is handed over. `turn` counts how often it began to wait."""

    worker: str | None
    place: str | None
    since: float
    thread: int = 0
    turn: int = 0
    quiet: threading.Event = attrs.field(factory=threading.Event)


class _Here(threading.local):
    """What the current thread is at: the call it works on, and whether it is about to start a pool's thread."""

    call: Call | None = None
    fills_a_pool = False


here: Final = _Here()


def worker_here() -> str | None:
    """The worker on whose behalf the current task or thread runs."""
    worker = get_contextvars().get("worker")
    if worker is not None:
        return str(worker)
    return None if here.call is None else here.call.worker


def started_at() -> str | None:
    """The author's line that handed over the call which the current thread works on."""
    return None if here.call is None else here.call.place


class StageThreads:
    """Counts calls in threads that work now; one that waits for the event loop (`from_thread`, a future) does not work.

    `say` gets one line about each call that took longer than `patience_s` real seconds and is no longer counted.
    """

    def __init__(self, say: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        self._say = say
        self._patience_s = patience_s
        self._loop_thread = threading.get_ident()
        self._lock = threading.Lock()
        self._working: dict[Call, None] = {}
        #: Grows whenever a call begins or ceases to work: unchanged over an idle moment, no thread had a hand in it.
        self.changes = 0
        #: Called, in any thread, when a call has ceased to work.
        self.on_quiet: Callable[[], None] = _nothing

    @property
    def busy(self) -> int:
        """How many calls work now."""
        return len(self._working)

    def forget_late(self) -> None:
        """Count no longer what has worked for more than the patience, and say so."""
        now = time.monotonic()
        for call in [call for call in list(self._working) if now - call.since >= self._patience_s]:
            if self.rest(call):
                where = place_in_thread(call.thread) or call.place
                self._say(
                    f"{call.worker or 'unknown'}: a thread works for {self._patience_s:g} s of real time"
                    f"{f' in {where}' if where else ''}; virtual time goes on without it"
                )

    # -- a call's life

    def begin(self) -> Call:
        call = Call(worker_here(), place_in_thread(threading.get_ident()), time.monotonic())
        with self._lock:
            self._working[call] = None
            self.changes += 1
        return call

    def rest(self, call: Call) -> bool:
        """The call has ended, waits, or is given up; False when it did not count."""
        with self._lock:
            if call not in self._working:
                return False
            del self._working[call]
            call.turn += 1
            self.changes += 1
        call.quiet.set()
        self.on_quiet()
        return True

    def resume(self, call: Call, turn: int) -> None:
        """The call works again after the wait of this turn; nothing when it was resumed, or ended, in the meantime."""
        with self._lock:
            if call.turn != turn or call in self._working:
                return
            call.quiet.clear()
            call.since = time.monotonic()
            self._working[call] = None
            self.changes += 1

    def give_a_moment(self, call: Call) -> None:
        # What a short call does stands before whatever the loop does next, on every machine and in every run.
        if threading.get_ident() == self._loop_thread:
            call.quiet.wait(MOMENT_S)


class Wait:
    """The current thread's wait for an answer of the event loop. `begin` when the question is out, `over` before the answer is.

    Answered before it began, it never begins: else virtual time could jump while the thread has its answer.
    """

    def __init__(self, threads: StageThreads) -> None:
        self._threads = threads
        self._call = here.call
        self._turn: int | None = None
        self._lock = threading.Lock()
        self._answered = False

    def begin(self) -> None:
        with self._lock:
            if self._call is not None and not self._answered and self._threads.rest(self._call):
                self._turn = self._call.turn

    def over(self) -> None:
        with self._lock:
            self._answered = True
            if self._call is not None and self._turn is not None:
                self._threads.resume(self._call, self._turn)

    def moment(self) -> None:
        """Let the thread act on its answer before the loop goes on."""
        if self._call is not None:
            self._threads.give_a_moment(self._call)


def _nothing() -> None:
    """Nobody waits."""
