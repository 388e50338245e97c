"""After a panic the event loop must turn: a beat is sent round it again and again, and one that stays away tells all.

Being handed over is not enough. What carries the panic out starts a turn of the loop later, and a worker may block in
its `finally` or in its `safe()`, while all others still wait for theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Literal

from halloween_host.commands import Command

__all__ = ["Watch"]

#: Seconds after a panic in which the loop is watched, and between two beats.
WATCH_S: Final = 5.0
BEAT_EVERY_S: Final = 0.1
#: A look that comes this many seconds late shows that we stood still too (SIGSTOP, a suspended machine): ask again.
LATE_S: Final = 0.5


class Watch:
    """For one thread, but for `beaten`. `limit_s`: how long a beat may take. `look` says what is to be done now."""

    def __init__(self, panic: Command, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.panic = panic
        self._limit_s = limit_s
        self._clock = clock
        self._until = clock() + WATCH_S
        self._beat_at = clock()  # when the next is due, or since when one is on its way
        self._on_its_way = False

    def extend(self, panic: Command) -> None:
        """There was another panic: it is the one that still wants an answer."""
        self.panic = panic
        self._until = self._clock() + WATCH_S

    def due_s(self) -> float:
        """Seconds until the next `look`."""
        return max(0.0, self._beat_at + (self._limit_s if self._on_its_way else 0.0) - self._clock())

    def beaten(self) -> None:
        """The beat came back. Called in the event loop's thread, so that no queue can delay it."""
        self._beat_at = self._clock() + BEAT_EVERY_S  # first: whoever looks in between takes it for young
        self._on_its_way = False

    def look(self) -> Literal["wait", "beat", "over", "blocked"]:
        """``beat``: send one now. ``over``: all is well. ``blocked``: the last one stayed away for `limit_s`."""
        now = self._clock()
        if not self._on_its_way:
            if now < self._beat_at:
                return "wait"
            if now >= self._until:
                return "over"
            self._on_its_way, self._beat_at = True, now
            return "beat"
        late_s = now - self._beat_at - self._limit_s
        if late_s < 0:
            return "wait"
        if late_s >= LATE_S:
            self._beat_at = now
            return "wait"
        return "blocked"
