"""The same refusal is said five times a second at most: a flood of bad commands must not become a flood of lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

__all__ = ["Refusals"]

#: Lines with the same text within `WINDOW_S` seconds; what goes beyond is counted and told with the next one.
BURST: Final = 5
WINDOW_S: Final = 1.0
#: Different texts remembered; a sender of ever new ones starts the memory anew.
KEPT: Final = 200


@attrs.define
class _Said:
    since: float
    lines: int = 0
    unsaid: int = 0


class Refusals:
    """`clock` returns seconds, from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[str, _Said] = {}

    def line(self, text: str) -> str | None:
        """What to say of a refusal now: its text, with how many like it went unsaid since the last line; None for nothing."""
        now = self._clock()
        if text not in self._said and len(self._said) >= KEPT:
            self._said.clear()
        said = self._said.setdefault(text, _Said(now))
        if now - said.since >= WINDOW_S:
            said.since, said.lines = now, 0
        if said.lines >= BURST:
            said.unsaid += 1
            return None
        said.lines += 1
        unsaid, said.unsaid = said.unsaid, 0
        return f"{text} (and {unsaid:,} more like it)" if unsaid else text
