"""Packet identifiers are one series, for our own frames and for paho's packets (MQTT 5, section 2.2.1)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

__all__ = ["MOST_ASKED", "MOST_IN_FLIGHT", "Identifiers"]

_LAST: Final = 65_535

#: Unanswered subscriptions, and ends of them, at most.
MOST_ASKED: Final = 255
#: Unacknowledged publishes at most. One identifier is always free: paho takes one for a publish of QoS 0 too, and keeps it not.
MOST_IN_FLIGHT: Final = _LAST - MOST_ASKED - 1


class Identifiers:
    """Each one differs from all that stand in one of the containers `in_use`."""

    def __init__(self) -> None:
        self.in_use: Sequence[Container[int]] = ()
        self._last = 0

    def next(self) -> int:
        """The next free identifier.

        Raises:
            RuntimeError: when none is free, which nobody sees who keeps to the two bounds above.
        """
        for _ in range(_LAST):
            self._last = self._last % _LAST + 1
            if not any(self._last in each for each in self.in_use):
                return self._last
        raise RuntimeError("all 65,535 packet identifiers are in use")
