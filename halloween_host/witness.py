"""The witness hears what the broker says of our props' availability, and has repeated what somebody else overwrote.

A will may come late: after a power cut the old connection's `offline` follows the new one's `online`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Protocol

import attrs
import trio

from halloween_host.reporter import Reporter

__all__ = ["Subject", "Witness"]

#: Seconds that a foreign word may stand before it is corrected: our own words are on their way back meanwhile.
SETTLED_S: Final = 0.5
#: Corrections of one prop in `WINDOW_S` seconds; what is overwritten more often has another publisher, which is said instead.
MOST: Final = 3
WINDOW_S: Final = 60.0


class Subject(Protocol):
    """Whose availability is witnessed."""

    @property
    def said(self) -> str | None:
        """The word that the broker acknowledged; None while one is on its way, or before the first."""

    def repeat(self) -> None:
        """Say it again."""


@attrs.define
class _Heard:
    word: str
    corrected: tuple[float, ...] = ()
    look_at: float = math.inf
    accused: bool = False


class Witness:
    """`subjects` are our props by id; of others nothing is kept."""

    def __init__(self, subjects: Mapping[str, Subject], reporter: Reporter) -> None:
        self._subjects = dict(subjects)
        self._reporter = reporter
        self._heard: dict[str, _Heard] = {}
        self._suspicious = trio.Event()
        self._due = math.inf  # when `run` looks again

    def add(self, prop_id: str, subject: Subject) -> None:
        """One more prop is ours."""
        self._subjects[prop_id] = subject

    def hear(self, prop_id: str, word: str) -> None:
        """What a subscriber sees now."""
        subject = self._subjects.get(prop_id)
        if subject is None:
            return
        heard = self._heard.get(prop_id)
        if heard is None:
            heard = self._heard[prop_id] = _Heard(word)
        heard.word = word
        if word == subject.said:
            heard.look_at = math.inf
        elif heard.look_at == math.inf:
            heard.look_at = trio.current_time() + SETTLED_S
            if heard.look_at < self._due:  # the words of a thousand workers that start are looked at together
                self._suspicious.set()

    def forget(self) -> None:
        """The link is new: what it hears first is what the broker has retained."""
        for heard in self._heard.values():
            heard.look_at = math.inf

    async def run(self) -> None:
        """Correct until cancelled."""
        while True:
            self._suspicious = trio.Event()
            self._due = min((heard.look_at for heard in self._heard.values()), default=math.inf)
            with trio.move_on_at(self._due):
                await self._suspicious.wait()
                continue
            now = trio.current_time()
            for prop_id, heard in self._heard.items():
                if heard.look_at <= now:
                    self._look(prop_id, heard, now)

    def _look(self, prop_id: str, heard: _Heard, now: float) -> None:
        subject = self._subjects[prop_id]
        heard.look_at = math.inf
        if subject.said is None:
            heard.look_at = now + SETTLED_S  # ours is not out yet: what comes back decides
            return
        if heard.word == subject.said:
            return
        while heard.corrected and now >= heard.corrected[0] + WINDOW_S:
            heard.corrected = heard.corrected[1:]
            heard.accused = False
        if len(heard.corrected) >= MOST:
            if not heard.accused:
                heard.accused = True
                self._reporter.error(
                    prop_id,
                    f"somebody else publishes for {prop_id}: {heard.word!r:.40} where we said {subject.said!r}, "
                    f"corrected {MOST} times in {WINDOW_S:g} s",
                )
            heard.look_at = heard.corrected[0] + WINDOW_S
            return
        heard.corrected += (now,)
        subject.repeat()
