"""The bridge sends what all workers say: what one of them makes unsendable costs that message alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio
from structlog.testing import capture_logs

from halloween_host.bridge import Bridge, Doorbell
from halloween_host.mqtt import Client, Message, ProtocolVersion
from halloween_host.outbox import Kind, Outbox, Post
from tests.conftest import MakeMosquitto
from tests.mosquitto import Listener, Mosquitto


@asynccontextmanager
async def bridged(broker: Mosquitto) -> AsyncIterator[tuple[Bridge, Client, Listener]]:
    """A bridge without workers on a connection of its own, and what a stranger hears of it."""
    doorbell = Doorbell()
    outbox = Outbox(wake=doorbell.ring, clock=trio.current_time, dropped=lambda prop_id, text: None)
    sender, _ = trio.open_memory_channel[Sequence[Message]](1)
    bridge = Bridge(outbox, sender, doorbell, client_id="host", announce=lambda: None)
    async with (
        broker.listen("halloween/#") as listener,
        Client(broker.host, broker.port, protocol=ProtocolVersion.V5) as client,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(bridge.serve, client)
        yield bridge, client, listener
        nursery.cancel_scope.cancel()


def say(bridge: Bridge, topic: str, payload: bytes, kind: Kind = "telemetry", qos: int = 1) -> None:
    bridge.outbox.post(Post("fogger", topic, payload, kind, qos, False, bridge.outbox.now()))


async def test_an_unsendable_message_is_dropped_with_a_line_and_the_next_one_goes(broker: Mosquitto) -> None:
    """An impossible topic or QoS that got past every check ends neither the connection nor the host."""
    async with bridged(broker) as (bridge, client, listener):
        with capture_logs() as lines:
            say(bridge, "halloween/fogger/telemetry/#", b"x")
            say(bridge, "halloween/fogger/telemetry/heat", b"x", qos=7)
            say(bridge, "halloween/fogger/telemetry/fog", b"on")
            await listener.expect("halloween/fogger/telemetry/fog on")
            await bridge.flush()
        assert client.connected
        assert [line["worker"] for line in lines if line["log_level"] == "error"] == ["fogger", "fogger"]


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
