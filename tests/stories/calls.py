"""Calls are the commands that a story sends, and what may become of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import attrs

from tests.stories.crew import Entry

__all__ = ["ACTIONS", "ANSWER_S", "Call", "Calls"]

#: What a guest may command.
ACTIONS: Final = ("scare", "bang", "block", "hold", "hang", "die", "fall")

#: What is on its way as a connection ends may be lost; so old it is no more.
ON_ITS_WAY_S: Final = 0.1
#: Whatever is late arrives within so many seconds, or never.
LATE_S: Final = 120.0
#: A handler of the crew takes 20 s at most; a command with an id has its final answer by then.
ANSWER_S: Final = 25.0


@attrs.define
class Call:
    """A command. `expires_at` is on Trio's clock; `life` the host's that it was sent to; `heard`: it surely arrived."""

    prop_id: str
    action: str
    at: float
    life: int
    id: str | None = None
    expires_at: float = math.inf
    retained: bool = False
    heard: bool = False
    ran: int = 0
    outcomes: list[str] = attrs.Factory(list)


class Calls:
    """All of one story, by their argument; `lie` is told what may not be."""

    def __init__(self, lie: Callable[[str], None]) -> None:
        self._lie = lie
        self._calls: dict[str, Call] = {}
        self._by_id: dict[tuple[str, object], Call] = {}

    def made(self, token: str, call: Call) -> None:
        self._calls[token] = call
        if call.id is not None:
            self._by_id[call.prop_id, call.id] = call

    def lost(self, now: float) -> None:
        """The connection that they went by has trouble."""
        for call in self._calls.values():
            if now - call.at < ON_ITS_WAY_S:
                call.heard = False

    def seem_younger(self, now: float, by_s: float) -> None:
        """The host's wall clock went back: so much younger it takes what is on its way."""
        for call in self._calls.values():
            if now - call.at < LATE_S:
                call.expires_at += by_s

    def ran(self, entry: Entry, life: int) -> None:
        """Its handler begins."""
        call = self._calls[entry.text]
        call.ran += 1
        what = f"{call.prop_id}'s command {entry.text} ({entry.what})"
        if call.ran > 1:
            self._lie(f"{what} ran twice")
        if call.retained:
            self._lie(f"{what} was retained and ran")
        if entry.at > call.expires_at + 1e-6:
            self._lie(f"{what} ran {entry.at - call.expires_at:g} s after its ttl")
        if call.life != life:
            self._lie(f"{what} was sent to an earlier host and ran")

    def acked(self, prop_id: str, ack: dict[str, Any]) -> None:
        call = self._by_id.get((prop_id, ack["id"]))
        outcome = ack["outcome"]
        if call is None or outcome == "accepted":
            return
        what = f"{prop_id}'s command {ack['id']}"
        if call.outcomes and outcome != call.outcomes[0]:
            self._lie(f"{what} ended as {call.outcomes[0]} and as {outcome}")
        if outcome == "done" and not call.ran:
            self._lie(f"{what} never ran and is said to be done")
        if outcome == "refused" and call.ran:
            self._lie(f"{what} ran and is said to be refused: {ack['error']}")
        call.outcomes.append(outcome)

    def look_for_silence(self, now: float, life: int) -> None:
        """What reached the host that lives has been answered, if it has an id."""
        for token, call in self._calls.items():
            due = call.heard and call.id is not None and call.life == life and now - call.at > ANSWER_S
            if due and not call.outcomes:
                self._lie(f"{call.prop_id}'s command {token} (id {call.id}) was never answered")
