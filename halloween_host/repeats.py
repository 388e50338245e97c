"""A trouble that comes again and again is said at once, and then once a minute with how often it came meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

import attrs

__all__ = ["REPEAT_S", "Repeats"]

#: Seconds until something about the same is said again.
REPEAT_S: Final = 60.0
#: What lines were about is remembered for so many; ever new ones start the memory anew.
KEPT: Final = 1_000


@attrs.define
class _Said:
    at: float
    unsaid: int = 0


class Repeats:
    """`clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[Hashable, _Said] = {}

    def line(self, about: Hashable, text: str) -> str | None:
        """What to say now: `text`, with how many about the same went unsaid since the last one; None for nothing."""
        now, said = self._clock(), self._said.get(about)
        if said is not None and now - said.at < REPEAT_S:
            said.unsaid += 1
            return None
        if said is None and len(self._said) >= KEPT:
            self._said.clear()
        self._said[about] = _Said(now)
        return text if said is None or not said.unsaid else f"{text} (and {said.unsaid:,} more like it)"
