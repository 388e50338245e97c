"""When each cool-down of a prop began, kept where its worker's store is and out of its sight."""

from __future__ import annotations

from collections.abc import Callable

from halloween_host.payloads import read_json, to_json
from halloween_host.store._moments import Moment, remaining_s
from halloween_host.store._shelf import Shelf

__all__ = ["Cooldowns"]


class Cooldowns:
    """The cool-downs of one prop by action; `now` tells the moment."""

    def __init__(self, shelf: Shelf, now: Callable[[], Moment]) -> None:
        self._shelf = shelf
        self._now = now

    def begin(self, action: str) -> None:
        """One begins now."""
        now = self._now()
        self._shelf.put({action: to_json({"wall": round(now.wall, 3), "ticks": round(now.ticks, 3), "boot": now.boot})})

    def forget(self, action: str) -> None:
        """The last one is none: what began it was not done."""
        self._shelf.put({action: None})

    def remaining_s(self, action: str, cooldown_s: float) -> float:
        """What is left of the last one, 0 when there is none; `cooldown_s`, how long it is today, at most."""
        text = self._shelf.texts.get(action)
        if text is None:
            return 0.0
        try:
            told = read_json(text)
            began = Moment(float(told["wall"]), float(told["ticks"]), str(told["boot"]))
        except (ValueError, KeyError, TypeError):
            return cooldown_s  # a row that somebody edited: one did begin
        return remaining_s(began, self._now(), cooldown_s)
