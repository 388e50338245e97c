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

    __slots__ = ("_cancel", "_ended", "asked", "over", "stopper", "timeout_s")

    def __init__(self, ended: Ended | None = None, timeout_s: float | None = None) -> None:
        self.timeout_s = timeout_s
        #: Whether somebody asked it to end.
        self.asked = False
        #: Whether the handler called its worker's `stop()`, which lets it go on.
        self.stopper = False
        self.over = False
        self._ended = ended
        self._cancel: Callable[[], object] | None = None

    def cancel(self) -> None:
        """Ask the handler to end; one that has not begun never does, and a plain one's thread is left to itself."""
        if self.asked:
            return  # once: a second cancellation would cut an asyncio handler's `finally` short
        self.asked = True
        if self._cancel is not None and not self.over:
            self._cancel()

    # -- for the home that runs it

    def begin(self, cancel: Callable[[], object]) -> None:
        """The handler starts now; `cancel` asks it to end."""
        self._cancel = cancel

    def end(self, ending: Ending, value: object = None, error: str | None = None) -> None:
        """The handler has ended; what comes after the first word is not heard."""
        if self.over:
            return
        self.over, self._cancel = True, None
        if self._ended is not None:
            self._ended(ending, value, error)
