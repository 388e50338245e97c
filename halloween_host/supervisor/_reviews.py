"""What a worker is may change with time alone: the reviews wake those that asked to be looked at again, in one task for all."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

import trio

__all__ = ["Review", "Reviews"]


class Review:
    """A plain function that will be called; `call` is None once that is over."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call


class Reviews:
    """Calls plain functions at moments of Trio's clock; who asks twice is called twice."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Review]] = []
        self._withdrawn = 0
        self._number = itertools.count()
        self._sooner = trio.Event()

    def ask(self, at: float, call: Callable[[], None]) -> Review:
        """Call it at the moment `at`, or at once when that is past."""
        review = Review(call)
        heapq.heappush(self._due, (at, next(self._number), review))
        if self._due[0][0] == at:
            self._sooner.set()
        return review

    def withdraw(self, review: Review) -> None:
        """It is not called any more, if it has not been."""
        if review.call is None:
            return
        review.call = None
        self._withdrawn += 1
        if self._withdrawn > len(self._due) / 2:  # those of a thousand workers that have started, say
            self._due = [each for each in self._due if each[2].call is not None]
            self._withdrawn = 0
            heapq.heapify(self._due)

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
                self._call(heapq.heappop(self._due)[2])

    def _call(self, review: Review) -> None:
        call, review.call = review.call, None
        if call is None:
            self._withdrawn -= 1
        else:
            call()
