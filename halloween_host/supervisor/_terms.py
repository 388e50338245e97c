"""What a supervisor goes by, and what it needs of the host."""

from __future__ import annotations

from typing import Protocol

import attrs

__all__ = ["Limits", "Subscriptions"]


@attrs.frozen
class Limits:
    """Seconds and counts a supervisor goes by (settings of the host)."""

    start_timeout_s: float = 30.0
    stop_timeout_s: float = 5.0
    restart_limit: int = 5
    restart_window_s: float = 60.0
    mailbox_capacity: int = 10_000


class Subscriptions(Protocol):
    """What a worker hears beside its commands; each instance begins with none."""

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what matches; from any thread."""

    def reset(self) -> None:
        """Hear nothing any more."""
