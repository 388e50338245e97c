"""The states of a worker, derived and never hand-written, and the health that explains them."""

from __future__ import annotations

import enum
import json
from typing import Any, Final

import attrs

from halloween_host.payloads import to_json

__all__ = ["Health", "State", "as_dict", "encode_health", "read_health"]


class State(enum.Enum):
    """`STARTING` until `start()` returned and the broker took our subscription; `DEGRADED` is online with a reason to look."""

    STARTING = "starting"
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"

    @property
    def available(self) -> bool:
        """Whether a worker in this state takes commands, which is what `online` on the wire promises."""
        return self in (State.ONLINE, State.DEGRADED)


@attrs.frozen
class Health:
    """What `status/health` says. `since` is Unix seconds; `restarts` and `refused` (commands) count from the host's start.
    `pid` is that of a worker that is `isolated`, while its process speaks; of all others neither is said.

    `presence` tells whether the worker has a connection and a will of its own; without, its `online` counts only while the
    host's does.
    """

    state: State
    reason: str | None
    since: float
    restarts: int
    dialect: str
    presence: bool
    refused: int
    isolated: bool = False
    pid: int | None = None


_NAMES: Final = tuple(field.name for field in attrs.fields(Health))


def encode_health(health: Health) -> bytes:
    """Compact JSON, its keys in the order of the class."""
    return to_json(as_dict(health)).encode()


def as_dict(health: Health) -> dict[str, object]:
    """The JSON object of `encode_health`."""
    told = {name: getattr(health, name) for name in _NAMES}
    told["state"], told["since"] = health.state.value, round(health.since, 3)
    if not health.isolated:
        del told["isolated"], told["pid"]
    return told


def read_health(payload: str) -> Health:
    """What `encode_health` made."""
    told: dict[str, Any] = json.loads(payload)
    return Health(**{**told, "state": State(told["state"])})
