"""An ack goes to the prop's own `ack` topic, or where its sender wants it, unless that is a topic that others trust."""

from __future__ import annotations

from typing import Final

import attrs

from halloween_host import topics
from halloween_host.errors import CommandError
from halloween_host.worker import Arrival

__all__ = ["Address", "address_of"]

#: What stands below `status/` and is the host's word alone.
_TRUSTED: Final = ("availability", "health", "panic")


@attrs.frozen
class Address:
    """Where an ack goes, with the correlation data that it carries back (MQTT 5, section 4.10)."""

    topic: str
    correlation: bytes | None = None


def address_of(prop_id: str, arrival: Arrival, id_: str | float | None) -> Address | None:
    """Where the sender of a command looks for its acks; None for one that did not ask for any.

    Raises:
        CommandError: when its response topic is a `cmd`, `availability`, `health` or `panic` topic, is none of the yard's to
            write to (``$…``), or no topic at all.
    """
    topic = arrival.response_topic
    if topic is None:
        return None if id_ is None else Address(topics.ack(prop_id))
    if (why := _forbidden(topic)) is not None:
        raise CommandError(f"refused, its response topic {topic!r:.80} {why}")
    return Address(topic, arrival.correlation)


def _forbidden(topic: str) -> str | None:
    if not topic or any(char in topic for char in "+#\0"):
        return "is no topic"
    if topic.startswith("$"):
        return "is the broker's"
    parsed = topics.parse_topic(topic)
    if parsed is not None and (parsed.kind == "cmd" or (parsed.kind == "status" and parsed.key in _TRUSTED)):
        return "is one that others trust"
    return None
