"""How long to wait before the next try: full jitter, and a budget that turns a crash loop into one try a minute."""

from __future__ import annotations

import random as _random
from collections.abc import Callable
from typing import Final

import attrs

__all__ = ["RETRY_S", "RestartBudget", "full_jitter"]

#: Seconds between tries once the budget is spent.
RETRY_S: Final = 60.0


def full_jitter(
    attempt: int, *, base_s: float = 0.5, cap_s: float = 30.0, random: Callable[[], float] = _random.random
) -> float:
    """Seconds from 0 to ``base_s * 2 ** attempt``, `cap_s` at most, evenly spread; `attempt` counts from 0.

    Source: Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    doublings = min(max(attempt, 0), 64)  # 2 ** 1024 is no float any more; a broker may be away for weeks
    return random() * min(cap_s, base_s * 2.0**doublings)


@attrs.define
class RestartBudget:
    """`limit` crashes within `window_s` seconds are restarted by back-off; past that, one try each `RETRY_S` seconds.

    It stays so until an instance lived longer than `window_s`: that one has earned a whole new budget.
    """

    limit: int = 5
    window_s: float = 60.0
    random: Callable[[], float] = attrs.field(default=_random.random, kw_only=True, repr=False)
    _crashes: list[float] = attrs.field(factory=list, init=False)
    _spent: bool = attrs.field(default=False, init=False)

    def spend(self, now: float) -> bool:
        """Whether the crash at `now` (seconds on any clock that only grows) is within the budget."""
        lived_long = bool(self._crashes) and now - self._crashes[-1] > RETRY_S + self.window_s
        if lived_long:
            self._spent = False
        while self._crashes and now - self._crashes[0] >= self.window_s:
            del self._crashes[0]
        self._crashes.append(now)
        self._spent = self._spent or len(self._crashes) > self.limit
        return not self._spent

    def delay(self, attempt: int, now: float) -> float:
        """Spend on the crash at `now` and return the seconds to wait; `attempt` counts crashes in a row from 0."""
        return full_jitter(attempt, random=self.random) if self.spend(now) else RETRY_S
