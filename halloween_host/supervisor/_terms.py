"""What a supervisor goes by, and what it needs of the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from halloween_host.outbox import Outbox, Post
from halloween_host.reporter import Reporter
from halloween_host.supervisor._lanes import Cooldowns
from halloween_host.supervisor._reviews import Reviews

__all__ = ["Subscriptions", "Surroundings"]


class Subscriptions(Protocol):
    """What a worker hears beside its commands; each instance begins with none."""

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what matches; from any thread."""

    def reset(self) -> None:
        """Hear nothing any more."""


@attrs.frozen
class Surroundings:
    """What all supervisors share. `wall` returns Unix seconds; `random` gives the jitter of restarts, from 0 to 1.

    `cooldowns` gives what remembers a prop's over the host's end, None when nobody does.
    """

    outbox: Outbox
    reporter: Reporter
    reviews: Reviews
    wall: Callable[[], float]
    random: Callable[[], float]
    cooldowns: Callable[[str], Cooldowns | None] = lambda _prop_id: None
    #: Bound once: of each of a thousand workers its own would take sixty bytes.
    post: Callable[[Post], None] = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.outbox.post, takes_self=True)
    )
    warn: Callable[[str, str], None] = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.reporter.warning, takes_self=True)
    )
