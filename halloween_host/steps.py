"""After each step of a task: whoever blocked the loop in it is named, and what was said in it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio

__all__ = ["BLOCKED_S", "StepWatch"]

#: Seconds that one step may take before its worker is named.
BLOCKED_S: Final = 0.25

_now = time.monotonic


class Bell(Protocol):
    """Answered after the step in which it fell due: a task that is woken for it would come a turn of the loop later."""

    due: bool

    def answer(self) -> None: ...


class StepWatch(trio.abc.Instrument):
    """`blocked` is told the worker of a step that took too long, and its seconds; in Trio's thread, after the step. So is `bell`.

    Trio's call of an instrument costs more than all that the instrument does here, so there is one a step: a step begins
    where the last one ended, or the wait for the system did.
    """

    def __init__(self, blocked: Callable[[str, float], None], bell: Bell) -> None:
        self._blocked = blocked
        self._bell = bell
        self._began = _now()

    def after_io_wait(self, timeout: float) -> None:
        self._began = _now()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        now = _now()
        if now - self._began >= BLOCKED_S:
            self._name(task, now - self._began)
            now = _now()  # a log that hangs is not the next one's step
        if self._bell.due:
            self._bell.answer()
            now = _now()
        self._began = now

    def _name(self, task: trio.lowlevel.Task, took_s: float) -> None:
        worker = task.context.run(structlog.contextvars.get_contextvars).get("worker")
        if worker is not None:
            self._blocked(str(worker), took_s)
