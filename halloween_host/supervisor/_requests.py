"""A request is a command on its way: from its arrival over the mailbox and its handler to the one outcome that its sender is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from halloween_host.commands import Command
from halloween_host.errors import CommandError
from halloween_host.supervisor._replies import Address
from halloween_host.worker import Arrival, Home, Run

__all__ = ["Id", "Request"]

Id = str | int | float

#: Addresses that wait for the end of one command; the acks of further duplicates go unsent.
ADDRESSES_KEPT: Final = 100


class Request:
    """`expires_at` is on the dispatcher's clock; `command` is None for a message of a subscription, an error for no command."""

    # What most requests never touch stands on the class: there is a request a command.
    #: Where its acks go; None when nobody asked for any.
    addresses: dict[Address, None] | None = None
    expires_at: float | None = None
    #: The home that took it, and the run of its handler.
    home: Home | None = None
    run: Run | None = None
    began_at: float | None = None
    #: Whether its own handler was asked for, by whoever took it raw.
    begun: bool = False
    #: Why it is about to be cancelled.
    cancelled_for: str | None = None
    #: Whether it counts among what waits and runs.
    held: bool = False
    #: Whether its sender was told already: it is handed on once more, or late.
    silent: bool = False
    on_over: Callable[[], None] | None = None
    over: bool = False

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.command: Command | CommandError | None = arrival.command

    @property
    def id(self) -> Id | None:
        return None if self.command is None or self.silent else self.command.id

    @property
    def action(self) -> str | None:
        return None if self.command is None else self.command.action

    def check_age(self, now: float) -> None:
        """Raise CommandError when its turn comes too late; `now` is on the dispatcher's clock."""
        if self.expires_at is not None and now > self.expires_at:
            raise CommandError(self.too_late(now), action=self.action)

    def too_late(self, now: float) -> str:
        """Why it is refused, once it is over its age."""
        return f"refused, its turn came {now - (self.expires_at or now):,.1f} s after its ttl was over"

    def starts(self, run: Run, clock: Callable[[], float]) -> None:
        """Its handler is handed over as `run`; when that comes to its first line too late, as somebody blocked the loop, it is stale."""
        self.run = run
        if self.expires_at is not None:
            run.expired = partial(_is_over, self.expires_at, clock)  # which knows no request: that would be a cycle

    def answer_to(self, address: Address | None) -> None:
        """Its acks go to `address` too."""
        if address is not None:
            self.addresses = self.addresses or {}
            if len(self.addresses) < ADDRESSES_KEPT:
                self.addresses[address] = None


def _is_over(moment: float, clock: Callable[[], float]) -> bool:
    return clock() > moment
