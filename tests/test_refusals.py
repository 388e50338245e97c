"""What the broker refuses is said once in the log; what lasts of it is said to the broker until it takes it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from halloween_host import topics
from halloween_host.outbox import Post
from halloween_host.presence import HostVoice
from tests.bridging import Nobody, bridged, say
from tests.conftest import MakeMosquitto


async def test_what_lasts_is_said_again_until_an_acl_allows_it(
    make_mosquitto: MakeMosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Availability and health of a worker that has no connection of its own: the newest of each, with one line; nothing else."""
    monkeypatch.setattr("halloween_host.refusals.REFUSED_AGAIN_S", 0.05)
    broker = make_mosquitto(acl=["topic read #"])
    born: list[str] = []
    owner = Nobody()
    with capture_logs() as lines:
        async with bridged(broker, owner) as (bridge, _client, listener):
            await owner.expect("up")
            voice = HostVoice("fogger", bridge.outbox)
            voice.say("offline")
            for state in (b"starting", b"online"):
                bridge.outbox.post(Post("fogger", topics.health("fogger"), state, "status", 1, True))
            say(bridge, "halloween/fogger/telemetry/fog", b"on")
            voice.say("online", lambda: born.append("online"))
            await bridge.flush()
            broker.change(acl=["topic readwrite #"])
            for key in ("availability", "health"):
                await listener.expect(f"halloween/fogger/status/{key} online")
                await listener.silence(f"halloween/fogger/status/{key} online", 0.2)
    heard = {f"{line}" for line in listener.lines if line.topic.startswith("halloween/fogger/")}
    assert heard == {f"halloween/fogger/status/{key} online" for key in ("availability", "health")}
    assert born == ["online"]
    assert sum("the broker refused a message" in line["event"] for line in lines) == 1


async def test_a_message_that_the_broker_refuses_is_said_and_not_sent_again(make_mosquitto: MakeMosquitto) -> None:
    """A publish that an ACL forbids (MQTT 5 says so in its PUBACK) is one line; the rest goes on, on the same connection."""
    broker = make_mosquitto(acl=["topic read #", "topic write halloween/fogger/telemetry/#"])
    with capture_logs() as lines:
        async with bridged(broker) as (bridge, client, listener):
            say(bridge, "halloween/coffin/cmd", b"fire", "command")
            say(bridge, "halloween/fogger/telemetry/fog", b"on")
            await listener.expect("halloween/fogger/telemetry/fog on")
            await bridge.flush()
            assert client.connected
    texts = [line["event"] for line in lines]
    assert sum("halloween/coffin/cmd" in text and "not authorised" in text for text in texts) == 1
    assert sum("a second host with our client id would not be noticed" in text for text in texts) == 1


async def test_what_the_broker_goes_on_refusing_is_said_once(make_mosquitto: MakeMosquitto) -> None:
    """Not once a message, which would fill the log by night; each of them is answered all the same."""
    broker = make_mosquitto(acl=["topic read #", "topic write halloween/fogger/telemetry/fog"])
    with capture_logs() as lines:
        async with bridged(broker) as (bridge, _client, listener):
            for number in range(300):
                say(bridge, f"halloween/fogger/telemetry/heat/{number % 100}", b"x")
            say(bridge, "halloween/fogger/telemetry/fog", b"on")
            await listener.expect("halloween/fogger/telemetry/fog on")
            await bridge.flush()
    assert sum("the broker refused a message" in line["event"] for line in lines) == 1
