"""The states of a worker and of nothing else: where its current instance stands."""

from __future__ import annotations

import enum

__all__ = ["State"]


class State(enum.Enum):
    """`STARTING` until `start()` returned and the broker took our subscription; `OFFLINE` between instances; `STOPPED` for good."""

    STARTING = "starting"
    ONLINE = "online"
    OFFLINE = "offline"
    STOPPED = "stopped"
