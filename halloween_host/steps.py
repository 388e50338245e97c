"""After each step of a task: whoever blocked the loop in it is named, and what was said in it is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio

from halloween_host.express import Express

__all__ = ["BLOCKED_S", "StepWatch"]

#: Seconds that one step may take before its worker is named.
BLOCKED_S: Final = 0.25
#: A wait that may last longer than so many seconds is a rest. A broker has 5 s to answer a sign of life (`KeepAlive`): its
#: answer is waited for before one rests.
REST_S: Final = 5.0
#: Seconds between two rests: who is woken time and again is watched all the time.
REST_AGAIN_S: Final = 1.0

_now = time.monotonic


class Bell(Protocol):
    """Answered after the step in which it fell due: a task that is woken for it would come a turn of the loop later."""

    due: bool

    def answer(self) -> None: ...


class StepWatch(trio.abc.Instrument):
    """`blocked` is told the worker (None: the host itself) of a step of `limit_s` or more, and its seconds; after the step.

    So is `bell`. Trio's call of an instrument costs more than all that the instrument does here, so there is one a step: a
    step begins where the last one ended, or the wait for the system did.
    """

    def __init__(
        self,
        blocked: Callable[[str | None, float], None],
        bell: Bell,
        limit_s: float = BLOCKED_S,
        *,
        express: Express | None = None,
    ) -> None:
        #: When the step that runs now, or ran last, began: `time.monotonic()`. For any thread.
        self.began = _now()
        #: Set by who wants `woken` called, in Trio's thread, when the next wait for the system is over; once.
        self.asleep = False
        self.woken: Callable[[], None] = lambda: None
        #: Called in Trio's thread before it rests, while nobody has set `asleep`.
        self.resting: Callable[[], None] = lambda: None
        #: Of the seconds of a step that ends now, those in which it could have gone on: the others are no block.
        self.stood_s: Callable[[float], float] = lambda _now: math.inf
        self._rest_from = self.began
        self._blocked = blocked
        self._bell = bell
        self._limit_s = limit_s
        self._express = express or Express(bell)

    def before_io_wait(self, timeout: float) -> None:
        if timeout > REST_S and self.began >= self._rest_from and not self.asleep:
            self._rest_from = self.began + REST_AGAIN_S
            self.resting()

    def after_io_wait(self, timeout: float) -> None:
        self.began = _now()
        if self.asleep:
            self.asleep = False
            self.woken()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        now = _now()
        if now - self.began >= self._limit_s and self.stood_s(now) >= self._limit_s:
            worker = task.context.run(structlog.contextvars.get_contextvars).get("worker") or self._express.worker
            self._blocked(None if worker is None else str(worker), now - self.began)
            now = _now()  # a log that hangs is not the next one's step
        if self._bell.due:
            self._bell.answer()
            now = _now()
        self._express.worker = None
        self.began = now
