"""What the broker has of a house, read as it must be: availability is the truth, health explains it and may be stale.

Two rules. A prop without a connection of its own (`presence` false) has no will of its own: its `online` counts only
while the host's does. After a kill the wills speak and nobody takes `health` back: where the two differ, health is stale.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from halloween_host import topics
from halloween_host.cli._lines import shown_payload
from halloween_host.mqtt import Message
from halloween_host.payloads import read_json

__all__ = ["FILTERS", "Sighting", "Sightings", "collect"]

FILTERS: Final = (topics.availability("+"), topics.health("+"), topics.HOST_PANIC)
#: Seconds without a further message after which the broker has said all that it has retained, and at most: MQTT has no
#: mark for the end of it.
QUIET_S: Final = 0.4
MOST_S: Final = 5.0

_AVAILABLE: Final = ("online", "degraded")


@attrs.frozen
class Sighting:
    """One prop. `availability` is online, offline, unknown, or whatever stands there; `note` says what changes its meaning."""

    prop_id: str
    availability: str
    health: dict[str, Any] = attrs.field(factory=dict)
    stale: bool = False
    note: str = ""

    @property
    def online(self) -> bool:
        """Whether it can be commanded, as far as the broker knows."""
        return self.availability == "online"


class Sightings:
    """`hear` every message of `FILTERS`, in whatever order they come."""

    def __init__(self) -> None:
        self.panic: dict[str, Any] = {}
        self._availabilities: dict[str, str] = {}
        self._healths: dict[str, dict[str, Any]] = {}

    @property
    def host(self) -> str:
        """The host's availability, unknown when the broker has none."""
        return self._availabilities.get(topics.HOST, "unknown")

    def hear(self, message: Message) -> None:
        """Note what this message says."""
        self.note(str(message.topic), message.payload)

    def note(self, topic: str, payload: bytes) -> None:
        """Note what was published; all else than `FILTERS` is passed over. An empty payload forgets."""
        parsed = topics.parse_topic(topic)
        if parsed is None or parsed.kind != "status":
            return
        if topic == topics.HOST_PANIC:
            self.panic = _read_object(payload)
        elif parsed.key == "availability":
            self._availabilities[parsed.prop_id] = shown_payload(payload)
            if not payload:
                del self._availabilities[parsed.prop_id]
        elif parsed.key == "health":
            self._healths[parsed.prop_id] = _read_object(payload)

    def props(self) -> list[Sighting]:
        """Every prop that the broker knows, by name."""
        known = {each for each, health in self._healths.items() if health} | self._availabilities.keys()
        return [self.of(prop_id) for prop_id in sorted(known - {topics.HOST})]

    def of(self, prop_id: str) -> Sighting:
        """What counts for this prop."""
        health = self._healths.get(prop_id, {})
        said = self._availabilities.get(prop_id, "unknown")
        note = ""
        if said == "online" and health.get("presence") is False and self.host != "online":
            note = "its last word was online, which counts only while the host is online"
        effective = "offline" if note else said
        state = health.get("state")
        stale = bool(health) and (
            (state in _AVAILABLE) != (effective == "online") or (state == "starting" and self.host == "offline")
        )
        return Sighting(prop_id, effective, health, stale, note)


async def collect(read: Callable[[], Awaitable[None]]) -> None:
    """`read` until the broker has said all that it has retained; raises what `read` raises."""
    with trio.move_on_after(MOST_S):
        while True:
            with trio.move_on_after(QUIET_S) as quiet:
                await read()
            if quiet.cancelled_caught:
                return


def _read_object(payload: bytes) -> dict[str, Any]:
    """A JSON object, empty for all else: what a stranger writes there is no reason to fail."""
    try:
        value = read_json(payload.decode())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
