"""Packet identifiers are one series, for our own frames and for paho's packets (MQTT 5, section 2.2.1)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

__all__ = ["MOST_IN_FLIGHT", "Identifiers"]

_LAST: Final = 65_535

#: Unacknowledged publishes at most: some identifiers are left for subscriptions.
MOST_IN_FLIGHT: Final = _LAST - 255


class Identifiers:
    """Each one differs from all that stand in one of the containers `in_use`."""

    def __init__(self) -> None:
        self.in_use: Sequence[Container[int]] = ()
        self._last = 0

    def next(self) -> int:
        """The next free identifier.

        Raises:
            RuntimeError: when none is free.
        """
        for _ in range(_LAST):
            self._last = self._last % _LAST + 1
            if not any(self._last in each for each in self.in_use):
                return self._last
        raise RuntimeError("all 65,535 packet identifiers are in use")
