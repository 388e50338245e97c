"""A run is one handler at work: it ends once, and whoever started it is told how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

__all__ = ["Ended", "Ending", "Run"]

#: How a handler ended: it returned, raised, was cancelled, or took longer than its timeout and was cancelled for that.
Ending = Literal["done", "failed", "cancelled", "timeout"]


class Ended(Protocol):
    """Told once, in Trio's thread, how a handler ended: with the value it returned, or what it raised in words."""

    def __call__(self, ending: Ending, value: object, error: str | None, /) -> None: ...


class Run:
    """`timeout_s` is how many seconds the handler may take; only an async one can be held to it."""

    # What most runs never touch stands on the class: there is a run a command.
    #: Whether somebody asked it to end.
    asked = False
    #: Whether the handler has come to its first line.
    begun = False
    #: Whether the handler called its worker's `stop()`, which lets it go on.
    stopper = False
    over = False
    #: Whether its time is over; from any thread.
    expired: Callable[[], bool] | None = None
    #: Whether it was before the handler's first line.
    stale = False
    _cancel: Callable[[], object] | None = None

    def __init__(self, ended: Ended | None = None, timeout_s: float | None = None) -> None:
        self.timeout_s = timeout_s
        self._ended = ended

    def cancel(self) -> None:
        """Ask the handler to end; one that has not begun never does, and a plain one's thread is left to itself."""
        if self.asked:
            return  # once: a second cancellation would cut an asyncio handler's `finally` short
        self.asked = True
        if self._cancel is not None and not self.over:
            self._cancel()

    # -- for the home that runs it

    def begin(self, cancel: Callable[[], object]) -> None:
        """The handler starts now, unless it is `asked` to end by then; `cancel` asks it to end."""
        if self.expired is not None and self.comes_too_late():
            return
        self.begun = True
        self._cancel = cancel

    def comes_too_late(self) -> bool:
        """Whether its time is over before its first line: then it never comes to it. From any thread."""
        if self.expired is not None and self.expired():
            self.asked = self.stale = True
        return self.stale

    def end(self, ending: Ending, value: object = None, error: str | None = None) -> None:
        """The handler has ended; what comes after the first word is not heard."""
        if self.over:
            return
        self.over, self._cancel = True, None
        ended, self._ended = (
            self._ended,
            None,
        )  # who is told knows the run: a cycle, which only the collector would free
        if ended is not None:
            ended(ending, value, error)
