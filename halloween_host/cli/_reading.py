"""Some payloads are JSON for programs; a person who watches gets them in words, and is told what no longer holds."""

from __future__ import annotations

from typing import Final

from halloween_host import topics
from halloween_host.acks import parse_ack
from halloween_host.cli._sightings import Sightings
from halloween_host.cli._words import health_in_words, panic_in_words, stale_in_words
from halloween_host.errors import PayloadError
from halloween_host.payloads import as_text

__all__ = ["Reading"]

#: Props that a line names.
NAMED: Final = 10


class Reading:
    """Reads one connection's messages in their order; it knows what was said before."""

    def __init__(self) -> None:
        self._sightings = Sightings()

    def take(self, topic: str, payload: bytes) -> str | None:
        """The words for a message; None for one that is best shown as it is."""
        parsed = topics.parse_topic(topic)
        if parsed is None or not payload:
            return None
        if parsed.kind == "ack":
            return _ack_in_words(payload)
        self._sightings.note(topic, payload)
        if topic == topics.HOST_PANIC:
            return panic_in_words(self._sightings.panic) if self._sightings.panic else None
        if topic == topics.HOST_AVAILABILITY:
            return self._host_in_words()
        if parsed.kind != "status" or parsed.prop_id == topics.HOST:
            return None
        seen = self._sightings.of(parsed.prop_id)
        if parsed.key == "health" and seen.health:
            known = seen.availability != "unknown"  # it may come right after
            return _joined(health_in_words(seen.health), stale_in_words(seen) if known else "")
        if parsed.key == "availability" and (seen.note or not seen.online):
            return _joined(payload.decode(errors="backslashreplace"), stale_in_words(seen))
        return None

    def _host_in_words(self) -> str:
        lost = [seen.prop_id for seen in self._sightings.props() if seen.note]
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        told = f"so are the props without a connection of their own: {', '.join(lost[:NAMED])}{more}" if lost else ""
        return _joined(self._sightings.host, told)


def _joined(words: str, more: str) -> str:
    return f"{words} ({more})" if more else words


def _ack_in_words(payload: bytes) -> str | None:
    try:
        ack = parse_ack(payload)
    except PayloadError:
        return None
    words = f"{ack.command or 'a payload that is no command'} {ack.outcome}"
    if ack.took_ms is not None:
        words += f" in {ack.took_ms} ms"
    if ack.error:
        words += f": {ack.error}"
    elif ack.result is not None:
        words += f": {as_text(ack.result)}"
    return f"{words}  #{ack.id}" if ack.id is not None else words
