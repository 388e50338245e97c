"""What a house's topics mean, in whatever order they come and whatever stands there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.cli._reading import Reading
from halloween_host.cli._sightings import Sightings
from halloween_host.cli._words import ago, health_in_words, panic_in_words, shown_duration
from tests.cli.stand_in import health, panic_report

HOST = "halloween/worker_host/status/availability"
PANIC = "halloween/worker_host/status/panic"
COFFIN = "halloween/coffin/status/availability"
COFFIN_HEALTH = "halloween/coffin/status/health"
#: Values that a stranger may have put anywhere.
ODD = [None, True, 0, -1, 2**70, 10**400, 1e308, 0.5, "", "done", "online", [], {}, {"a": [1]}, [None]]


def seen(host: str, availability: str, facts: dict[str, Any] | None) -> Sightings:
    sightings = Sightings()
    sightings.note(COFFIN_HEALTH, json.dumps(facts).encode())
    sightings.note(COFFIN, availability.encode())
    sightings.note(HOST, host.encode())
    return sightings


@pytest.mark.parametrize(
    ("host", "availability", "state", "presence", "online", "stale"),
    [
        ("online", "online", "online", True, True, False),
        ("online", "online", "degraded", True, True, False),
        ("online", "offline", "offline", True, False, False),
        ("online", "offline", "starting", True, False, False),
        ("online", "offline", "online", True, False, True),
        ("online", "online", "offline", True, True, True),
        ("offline", "online", "online", True, True, False),  # its own will has not spoken: its own link lives
        ("offline", "online", "online", False, False, True),
        ("unknown", "online", "online", False, False, True),
        ("offline", "offline", "starting", True, False, True),
        ("offline", "offline", "offline", False, False, False),
        ("online", "online", "online", False, True, False),
    ],
)
def test_availability_rules_and_health_explains(
    host: str, availability: str, state: str, presence: bool, online: bool, stale: bool
) -> None:
    """Online by its own connection, or by the host's when it has none; where health differs, health is stale."""
    found = seen(host, availability, health(state, presence=presence)).of("coffin")
    assert (found.online, found.stale) == (online, stale)


def test_an_empty_payload_forgets_and_firmware_has_no_health() -> None:
    """A deleted topic is as if it had never been; a prop with an availability alone is taken at its word."""
    sightings = seen("offline", "online", None)
    assert [each.online for each in sightings.props()] == [True]
    sightings.note(COFFIN, b"")
    assert sightings.props() == []
    assert sightings.of("coffin").availability == "unknown"


@given(
    st.sampled_from([HOST, PANIC, COFFIN, COFFIN_HEALTH, "halloween/coffin/ack", "halloween/coffin/cmd", "other"]),
    st.binary(max_size=40)
    | st.dictionaries(st.sampled_from([*health(), *panic_report(), "outcome", "id"]), st.sampled_from(ODD)).map(
        lambda value: json.dumps(value).encode()
    ),
)
def test_whatever_stands_there_is_read(topic: str, payload: bytes) -> None:
    """Any bytes on any topic are words, or None; nothing raises."""
    reading = Reading()
    for each in (HOST, COFFIN, topic):
        words = reading.take(each, payload)
        assert words is None or isinstance(words, str)
    sightings = Sightings()
    sightings.note(topic, payload)
    panic_in_words(sightings.panic)
    for found in sightings.props():
        health_in_words(found.health)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_700, "1 h 1 min"), (200_000, "2 d 7 h")],
)
def test_a_duration_is_as_exact_as_anybody_wants(seconds: float, shown: str) -> None:
    """Two units at most."""
    assert shown_duration(seconds) == shown


def test_health_and_panic_in_words() -> None:
    """A sentence holds state, since when, why, and what was counted."""
    words = health_in_words(health("degraded", reason="mailbox over half full", refused=1))
    assert words.startswith("degraded for ")
    assert words.endswith(": mailbox over half full; 2 restarts, 1 command refused")
    assert "restart" not in health_in_words(health(restarts=0))
    assert panic_in_words({"active": False}) == "no panic"
    assert "not all are safe yet" in panic_in_words(panic_report(took_ms=None))
    words = panic_in_words(panic_report(unsafe={"fogger": "hung"}, refused=40))
    assert "smoke; 1 safe in 13 ms, 1 without safe(), NOT SAFE: fogger (hung), 40 commands refused since" in words
    assert ago(None) == ""


def test_a_watcher_reads_words_and_what_no_longer_holds() -> None:
    """Health in words; a will that contradicts it, and the host's will for those without one, are told as they come."""
    reading = Reading()
    assert reading.take(HOST, b"online") == "online"
    words = reading.take(COFFIN_HEALTH, json.dumps(health(presence=False)).encode())
    assert words is not None
    assert words.startswith("online for ")
    assert "stale" not in words
    assert reading.take(COFFIN, b"online") is None
    lost = reading.take(HOST, b"offline")
    assert lost == "offline (so are the props without a connection of their own: coffin)"
    reading.take(HOST, b"online")
    assert reading.take(COFFIN, b"offline") == (
        "offline (stale: availability says offline, its health still says online)"
    )
    acked = json.dumps({"id": 7, "command": "fire", "outcome": "failed", "error": "no fog", "took_ms": 3}).encode()
    assert reading.take("halloween/coffin/ack", acked) == "fire failed in 3 ms: no fog  #7"
    assert reading.take("halloween/coffin/telemetry/fog", b"{}") is None
