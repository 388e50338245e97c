"""A question is a command whose outcome somebody waits for: its handler's value, or the error that says what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from halloween_host.acks import Ack, Outcome
from halloween_host.errors import AskError, CommandCancelled, CommandFailed, CommandRefused

__all__ = ["Inquiry", "answer_of", "no_answer"]

_ERRORS: Final[dict[Outcome, type[AskError]]] = {
    "failed": CommandFailed,
    "refused": CommandRefused,
    "cancelled": CommandCancelled,
}


@attrs.define(eq=False)
class Inquiry:
    """A `Question`: `send` lets the command go, `tell` is handed its final ack; both in Trio's thread."""

    prop_id: str
    id: str
    send: Callable[[], None]
    tell: Callable[[Ack], None]

    def post(self) -> None:
        self.send()

    def answer(self, ack: Ack) -> None:
        self.tell(ack)


def answer_of(ack: Ack, prop_id: str, action: str) -> object:
    """What the handler returned.

    Raises:
        CommandFailed, CommandRefused, CommandCancelled: by the ack's outcome.
    """
    if error := _ERRORS.get(ack.outcome):
        raise error(prop_id, action, ack.error or "no reason given")
    return ack.result


def no_answer(prop_id: str, action: str, timeout: float) -> TimeoutError:
    """Nobody said what became of it: no worker, no firmware that acks, no broker."""
    return TimeoutError(f"{prop_id} did not answer {action!r} in {timeout:g} s")
