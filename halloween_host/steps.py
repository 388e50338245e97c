"""A task's step that takes long blocks everybody: who it was is known when it gives the loop back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
import trio

__all__ = ["BLOCKED_S", "StepWatch"]

#: Seconds that one step may take before its worker is named.
BLOCKED_S: Final = 0.25


class StepWatch(trio.abc.Instrument):
    """`blocked` is told the worker of a step that took too long, and its seconds; in Trio's thread, after the step."""

    def __init__(self, blocked: Callable[[str, float], None]) -> None:
        self._blocked = blocked
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.monotonic()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took_s = time.monotonic() - self._began
        if took_s >= BLOCKED_S:
            worker = task.context.run(structlog.contextvars.get_contextvars).get("worker")
            if worker is not None:
                self._blocked(str(worker), took_s)
