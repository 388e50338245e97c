"""A prop that does not load is told so on its own topics too, whatever an earlier host left retained there."""

from __future__ import annotations

import time

from halloween_host import topics
from halloween_host.errors import LoadError, TopicError
from halloween_host.outbox import Outbox, Post
from halloween_host.reporter import Reporter
from halloween_host.states import Health, State, encode_health

__all__ = ["say_not_running"]


def say_not_running(error: LoadError, reporter: Reporter, outbox: Outbox) -> None:
    """Say why it does not run, and `offline`."""
    try:
        prop_id = topics.check_prop_id(error.prop_id)
    except TopicError:
        return  # no topic could bear its name
    reporter.say(prop_id, "error", str(error))
    reason = " ".join(error.reason.split())
    health = encode_health(Health(State.OFFLINE, f"does not load: {reason:.200}", time.time(), 0, "unknown", False, 0))
    outbox.post(Post(prop_id, topics.health(prop_id), health, "status", 1, True, outbox.now()))
    outbox.post(Post(prop_id, topics.availability(prop_id), b"offline", "availability", 1, True, outbox.now()))
