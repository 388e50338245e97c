"""A step of the event loop counts as a stall only for as long as it could have gone on and we were there to see it stand.

What went by while the whole process stood still (SIGSTOP) is held against nobody, and the next look asks again; nor is the time
in which the loop's thread waited for a CPU (`CpuAccount`). A suspended machine is no matter: its CLOCK_MONOTONIC stands still
(clock_gettime(2)).
"""

from __future__ import annotations

from typing import Final

import attrs

from halloween_host.guard._cpu import Spent

__all__ = ["LATE_S", "Stall"]

#: A look that comes this many seconds after it was due is late.
LATE_S: Final = 0.2
#: Who waits for the GIL asks for it 200 times a second (`sys.getswitchinterval`), unless he is kept from the CPU, or stopped.
#: Beyond the few turns that it takes to look, so many a second show that he was there.
ASKS_A_SECOND: Final = 10
TURNS_TO_LOOK: Final = 3


@attrs.frozen
class _Seen:
    """What is known of a step at a look: since when and for how long it stood, and what its thread had spent by now and before."""

    began: float
    looked_at: float
    spent: Spent
    before: Spent
    lasted_s: float = 0.0
    waited_s: float = 0.0

    @property
    def stood_s(self) -> float:
        return max(0.0, self.lasted_s - self.waited_s)


class Stall:
    """How long the step has stood at which one looks. All times are `time.monotonic()`; `spent` is the loop's thread's.

    `ours` is the looking thread's. One thread looks; `begin` and `at_end` are for the loop's own.
    """

    def __init__(self) -> None:
        self._seen = _Seen(-1.0, 0.0, Spent(), Spent())
        self._due = 0.0
        self._turns = 0

    def begin(self, spent: Spent) -> None:
        """Nobody has looked for long: what was spent until now was not spent in any step that one will look at."""
        self._seen = _Seen(-1.0, 0.0, spent, spent)

    def expect(self, due: float, ours: Spent) -> None:
        """The next look is due then."""
        self._due, self._turns = due, ours.turns

    def look(self, began: float, now: float, spent: Spent, ours: Spent) -> float:
        """The step that runs `now` began at `began`; the seconds that it has stood as far as is known."""
        self._seen = seen = self._at(began, now, spent, ours)
        return seen.stood_s

    def at_end(self, began: float, now: float, spent: Spent, ours: Spent) -> float:
        """The same of a step that ends."""
        return self._at(began, now, spent, ours).stood_s

    @property
    def lasted_s(self) -> float:
        """Seconds that the step at which one looked has stood, whether or not there was a CPU for it."""
        return self._seen.lasted_s

    @property
    def ran_s(self) -> float:
        """Seconds of CPU that it has had, at most."""
        return self._seen.spent.ran_s - self._seen.before.ran_s

    def _at(self, began: float, now: float, spent: Spent, ours: Spent) -> _Seen:
        seen = self._seen
        if new := began != seen.began:
            seen = _Seen(began, began, seen.spent, seen.spent)
        lasted_s, waited_s = seen.lasted_s, seen.waited_s
        if not self._stood_still(now, ours):
            lasted_s += now - seen.looked_at
            waited_s += spent.waited_s - seen.spent.waited_s
        if new:  # a part of that may have been before it began
            waited_s = min(waited_s, lasted_s)
        return _Seen(began, now, spent, seen.before, lasted_s, waited_s)

    def _stood_still(self, now: float, ours: Spent) -> bool:
        """Whether we are late, and were not kept from looking by who holds the GIL."""
        late_s = now - self._due
        return late_s >= LATE_S and ours.turns - self._turns < TURNS_TO_LOOK + late_s * ASKS_A_SECOND
