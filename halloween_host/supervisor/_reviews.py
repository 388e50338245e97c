"""What a worker is may change with time alone: the reviews wake those that asked to be looked at again, in one task for all."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

import trio

__all__ = ["Reviews"]


class Reviews:
    """Calls plain functions at moments of Trio's clock; who asks twice is called twice."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._sooner = trio.Event()

    def ask(self, at: float, review: Callable[[], None]) -> None:
        """Call `review` at the moment `at`, or at once when that is past."""
        heapq.heappush(self._due, (at, next(self._number), review))
        if self._due[0][0] == at:
            self._sooner.set()

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            self._sooner = trio.Event()
            at = self._due[0][0] if self._due else math.inf
            with trio.move_on_at(at):
                await self._sooner.wait()
                continue
            now = trio.current_time()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
