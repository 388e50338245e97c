"""When a PINGREQ is due, and when a broker that answers none is given up; on any clock, pure."""

from __future__ import annotations

import math

__all__ = ["KeepAlive", "next_moment"]


def next_moment(period_s: float, now: float) -> float:
    """The first whole multiple of `period_s` after `now`: who shares clock and period shares the wake-up."""
    return (now // period_s + 1) * period_s


class KeepAlive:
    """The broker hears from us at each whole multiple of `period_s` (0: never), and has half of it to answer.

    It is asked whatever else is said, so a link on which nothing passes any more is found out after 1.5 × `period_s` at most;
    MQTT demands one packet within each `period_s` (MQTT 5, section 3.1.2.10). `wake_at` is when to `look` again.
    """

    __slots__ = ("_asked", "_heard", "_period_s", "_ping_at", "wake_at")

    def __init__(self, period_s: float, now: float) -> None:
        self._period_s = period_s
        self._ping_at = next_moment(period_s, now) if period_s else math.inf
        self._asked = False
        self._heard = False
        self.wake_at = self._ping_at

    def heard(self) -> None:
        """Something came, and be it half a packet: an answer may still stand behind it."""
        self._heard = True

    def look(self, now: float) -> bool:
        """Whether to send a PINGREQ now.

        Raises:
            TimeoutError: when nothing came since the last one, for half of `period_s`.
        """
        if now < self.wake_at:
            return False
        if self._asked and not self._heard:
            raise TimeoutError("no answer to our keep-alive")
        if now < self._ping_at:  # the answer stands behind something that takes long: it has until the next one is due
            self._heard, self.wake_at = False, self._ping_at
            return False
        self._asked, self._heard = True, False
        self._ping_at = next_moment(self._period_s, now)
        self.wake_at = now + self._period_s / 2
        return True

    def answered(self) -> None:
        """A PINGRESP came."""
        self._asked = False
        self.wake_at = self._ping_at
