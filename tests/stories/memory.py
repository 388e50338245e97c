"""What the props stored, how much of it a host may forget, and how soon a disk in trouble must be told of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from tests.stories.crew import COOLDOWN_S, Entry

__all__ = ["Memory"]

#: Seconds within which what is stored is on the disk.
KEPT_S: Final = 0.2
#: Seconds until a store that is in memory alone is told of in its worker's health.
TOLD_S: Final = 2.0
#: Seconds from the end of the disk's trouble to the journal's next try, and until the health says so.
WELL_S: Final = 15.0 + TOLD_S
#: What such a health says.
IN_MEMORY: Final = "in memory alone"


@attrs.define
class _Deeds:
    """A prop's: the count at each moment it stored one, oldest first, and what the next instance may remember."""

    stored: list[tuple[float, int]] = attrs.Factory(lambda: [(-math.inf, 0)])
    least: int = 0
    banged_at: float = -math.inf

    @property
    def most(self) -> int:
        return self.stored[-1][1]

    def by(self, moment: float) -> int:
        """The count that it had stored by then."""
        return max(count for at, count in self.stored if at <= moment)


class Memory:
    """All of one story; `lie` is told what may not be."""

    def __init__(self, lie: Callable[[str], None]) -> None:
        self._lie = lie
        self._deeds: dict[str, _Deeds] = {}
        #: Since when the disk takes nothing, and since when it takes all again.
        self.trouble_at = math.inf
        self.well_at = -math.inf
        self._failed_at = -math.inf

    # -- what happens

    def told(self, entry: Entry) -> None:
        """An instance stores a deed, or looks what is there as it starts."""
        prop_id = entry.me.prop_id
        deeds = self._deeds.setdefault(prop_id, _Deeds())
        if entry.what == "stored":
            deeds.stored.append((entry.at, int(entry.text)))
            deeds.least = deeds.most
        elif entry.what == "remembers":
            count, twin = map(int, entry.text.split())
            if count != twin:
                self._lie(f"{prop_id} remembers {count} deeds and {twin}: half of what it stored at once")
            if not deeds.least <= count <= deeds.most:
                self._lie(f"{prop_id} remembers {count} deeds, and stored {deeds.least} to {deeds.most}")
            if count < deeds.most:  # as the disk has it
                deeds.stored = [(-math.inf, count)]
            deeds.least = count
        elif entry.what == "bang":
            if entry.at - deeds.banged_at < COOLDOWN_S:
                self._lie(f"{prop_id} banged {entry.at - deeds.banged_at:g} s after its last one, and cools down")
            deeds.banged_at = entry.at

    def disk_fails(self, now: float) -> None:
        if now - self.well_at >= WELL_S:  # else it is the same trouble still: perhaps nobody noticed that it was well
            self.trouble_at = now
        if self.well_at < math.inf:
            self._failed_at = now
        self.well_at = math.inf

    def disk_is_well(self, now: float) -> None:
        self.well_at = now

    def host_killed(self, now: float) -> None:
        """What was not on the disk by then may be lost."""
        self._forget_after(min(now, self._unwritten_from(now)) - KEPT_S)

    def host_stopped(self) -> None:
        """In good order: it wrote all that the disk took."""
        if self.well_at == math.inf:
            self._forget_after(self.trouble_at - KEPT_S)

    def _unwritten_from(self, now: float) -> float:
        return self.trouble_at if now - self.well_at < WELL_S else math.inf

    def _forget_after(self, moment: float) -> None:
        for deeds in self._deeds.values():
            deeds.least = min(deeds.least, deeds.by(moment))
            if deeds.banged_at > moment:
                deeds.banged_at = -math.inf

    # -- what stands

    def stored_between(self, start: float, end: float) -> bool:
        """Whether some prop did."""
        return any(start < at < end for deeds in self._deeds.values() for at, _ in deeds.stored)

    def look(self, now: float, calm_since: float, healths: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare these with what is on the disk; what happened since `calm_since` has been said."""
        if now - self.well_at >= WELL_S:
            self.trouble_at = math.inf
        for prop_id, health in healths.items():
            told = IN_MEMORY in (health["reason"] or "")
            at, _ = self._deeds[prop_id].stored[-1]
            if not told and now - TOLD_S > at > max(self._failed_at, calm_since) and self.well_at == math.inf:
                self._lie(f"{prop_id} stored on a disk that takes nothing {now - at:g} s ago; health {health}")
            if told and now - calm_since > WELL_S and self.trouble_at == math.inf:
                self._lie(f"{prop_id}'s store is on the disk since {now - self.well_at:g} s; health {health}")
