"""A step of the event loop counts as a stall only for as long as we were there to see it stand.

A look that comes late shows that we stood still too (SIGSTOP, a machine under water): what went by meanwhile is held against
nobody, and the next look asks again. A suspended machine is no matter: its CLOCK_MONOTONIC stands still (clock_gettime(2)).
"""

from __future__ import annotations

from typing import Final

__all__ = ["LATE_S", "Stall"]

#: A look that comes this many seconds after it was due is late.
LATE_S: Final = 0.2


class Stall:
    """How long the step has stood at which one looks. All times are `time.monotonic()`."""

    def __init__(self) -> None:
        self._began = -1.0
        self._looked_at = 0.0
        self._due = 0.0
        self._stood_s = 0.0

    def expect(self, due: float) -> None:
        """The next look is due then."""
        self._due = due

    def look(self, began: float, now: float) -> float:
        """The step that runs `now` began at `began`; the seconds that it has stood as far as is known."""
        if began != self._began:
            self._began = self._looked_at = began
            self._stood_s = 0.0
        if now - self._due < LATE_S:
            self._stood_s += now - self._looked_at
        self._looked_at = now
        return self._stood_s
