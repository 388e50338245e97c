"""When the next instance may start: after its back-off, or when somebody asks for it, and never beside the last one's tasks."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import trio

from halloween_host.backoff import RestartBudget
from halloween_host.flag import PASSED, Flag
from halloween_host.terms import Terms

__all__ = ["Turns"]


class Turns:
    """`random` gives the jitter, from 0 to 1."""

    def __init__(self, terms: Terms, random: Callable[[], float]) -> None:
        #: Whether somebody asked for the next instance, whatever the back-off says.
        self.wanted = False
        #: Whether there shall be no next one.
        self.over = False
        self._random = random
        self._attempt = -1
        self._at = math.inf
        self._changed = PASSED
        self.change(terms)

    def change(self, terms: Terms) -> None:
        """Go by these from now on; the crashes so far are forgotten."""
        self._terms = terms
        self._budget: RestartBudget | None = None  # made for the first crash

    def begin(self) -> None:
        """An instance starts; there is no next one until somebody says so."""
        self.wanted = False
        self._at = math.inf

    def plan(self, began: float) -> float:
        """The instance that began at `began` crashed: the next one starts in the seconds returned."""
        now = trio.current_time()
        limit, window_s = self._terms.restart_limit, self._terms.restart_window_s
        self._attempt = 0 if now - began > window_s else self._attempt + 1
        if self._budget is None:
            self._budget = RestartBudget(limit, window_s, random=self._random)
        delay_s = self._budget.delay(self._attempt, now)
        if not self.wanted:
            self._at = now + delay_s
        return delay_s

    def want(self) -> None:
        """The next instance starts as soon as the last one has ended; its crashes are forgiven."""
        self.wanted = True
        self._attempt = -1
        self._at = -math.inf
        self._changed.set()

    def unwant(self) -> None:
        """No next instance until somebody asks for it."""
        self.wanted = False
        self._at = math.inf
        self._changed.set()

    def end(self) -> None:
        """No next instance at all."""
        self.over = True
        self._changed.set()

    async def wait(
        self, hung: Callable[[], list[str]], ended: Callable[[], Awaitable[None]], say: Callable[[str], None]
    ) -> None:
        """Until the next instance may start. `hung` names what it must not start beside, which `say` is told; `ended` waits for it."""
        while not self.over:
            self._changed = Flag()
            with trio.move_on_at(self._at):
                await self._changed.wait()
                continue
            names = hung()
            if not names:
                return
            say(f"waits for the end of {'; '.join(names)}")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._change_after, ended)
                await self._changed.wait()
                nursery.cancel_scope.cancel()

    async def _change_after(self, ended: Callable[[], Awaitable[None]]) -> None:
        await ended()
        self._changed.set()
