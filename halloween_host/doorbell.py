"""A doorbell tells whoever serves the outbox that something is there, at the end of the step in which it was put there."""

from __future__ import annotations

import threading
from collections.abc import Callable

import trio

__all__ = ["Doorbell"]


class Doorbell:
    """Rung from any thread; whoever waits took `event` before looking whether there is something to do.

    With `stepwise`, when somebody calls `answer` after each step in which it fell `due`, `at_once` is called instead, while set.
    """

    def __init__(self) -> None:
        self.due = False
        self.stepwise = False
        self.at_once: Callable[[], None] | None = None
        #: What `at_once` raised: a defect, for whoever is woken to raise.
        self.failure: Exception | None = None
        self._event = trio.Event()
        self._taken = False
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    @property
    def event(self) -> trio.Event:
        """Set at the next ring."""
        self._taken = True
        return self._event

    def ring(self) -> None:
        if threading.get_ident() == self._thread:
            if self.at_once is not None and self.stepwise:
                self.due = True
            elif self._taken:
                self._ring()
            return
        try:
            self._token.run_sync_soon(self._ring, idempotent=True)
        except trio.RunFinishedError:  # a thread of an author's that outlived the host: nobody is left to be woken
            return

    def answer(self) -> None:
        """Do what it was rung for; when that cannot be done at once, wake who waits."""
        self.due = False
        done = False
        try:
            if self.at_once is not None:
                self.at_once()
                done = not self.due
        except Exception as error:  # noqa: BLE001 Trio would drop who calls this; a task has somebody to tell
            self.failure = error
        self.due = False
        if not done:
            self._ring()

    def _ring(self) -> None:
        rung, self._event, self._taken = self._event, trio.Event(), False
        rung.set()
