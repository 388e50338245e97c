"""Things to do later, in the order of their time; those of one time in the order they were asked for."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

__all__ = ["Timers"]


class Timers:
    """`changed` is called when the next time became an earlier one."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0

    @property
    def next_at(self) -> float:
        """The next time; infinite when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Call `act` at `when`; never for an infinite one. Nothing is taken back: `act` looks whether it is still wanted."""
        if when == math.inf:
            return
        earlier = when < self.next_at
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, act))
        if earlier:
            self._changed()

    def run(self, now: float) -> None:
        """Do all that is due."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
