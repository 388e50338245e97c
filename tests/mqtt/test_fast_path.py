"""With the fast path and without it a client hears and says the same; `MQTT_FAST_PATH=0` tells whose fault something is.

`MQTT_FAST_PATH=0 just test` runs every test without it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import anyio
import pytest
from anyio.abc import SocketStream

from halloween_host.mqtt import Client, Message, PacketTypes, Properties, ProtocolVersion, SubscribeOptions
from tests.mosquitto import Mosquitto
from tests.mqtt.backends import CONNACK, CONNACK_5, client_of, on_both, scripted_broker, until_closed
from tests.mqtt.packets import facts

#: Seconds until a message of MQTT 5 expires.
EXPIRES_S: Final = 60

both_versions = pytest.mark.parametrize("protocol", list(ProtocolVersion), ids=lambda version: version.name)


@pytest.mark.parametrize(("value", "fast"), [(None, True), ("1", True), ("0", False), (" 0 ", False), ("", True)])
def test_the_environment_decides(value: str | None, fast: bool) -> None:
    """Of a whole process, at its start; a client's own `fast_path` wins."""
    environ = {name: text for name, text in os.environ.items() if name != "MQTT_FAST_PATH"}
    if value is not None:
        environ["MQTT_FAST_PATH"] = value
    asked = "from halloween_host.mqtt import Client as C; print(C('h')._fast, C('h', fast_path=False)._fast, C('h', fast_path=True)._fast)"
    told = subprocess.run([sys.executable, "-c", asked], env=environ, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [str(fast), "False", "True"]


def said(message: Message) -> tuple[object, ...]:
    """All of a message but its packet identifier, which is the broker's choice."""
    assert type(message.payload) is bytes
    about = facts(message.properties) if message.properties is not None else None
    if about is not None and "MessageExpiryInterval" in about:  # the broker counts down (section 3.3.2.3.3)
        assert 0 < about.pop("MessageExpiryInterval") <= EXPIRES_S
    return message.topic, message.payload, message.qos, message.retain, bool(message.mid), about


@both_versions
@on_both
async def test_both_hear_the_same(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """Every QoS, empty and long payloads, and under MQTT 5 all properties, from a client of either kind to one of either kind."""
    properties = None
    if protocol is ProtocolVersion.V5:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.PayloadFormatIndicator = 1
        properties.MessageExpiryInterval = EXPIRES_S
        properties.ContentType = "text/plain"
        properties.ResponseTopic = "answers/größe"
        properties.CorrelationData = b"\x00\xff"
        properties.UserProperty = [("a", "1"), ("a", "2"), ("", "")]
    heard: dict[bool, list[tuple[object, ...]]] = {}
    clients = [client_of(mosquitto, protocol=protocol, fast_path=fast_path) for fast_path in (True, False)]
    async with clients[0] as fast, clients[1] as slow:
        for client in (fast, slow):
            if protocol is ProtocolVersion.V5:
                await client.subscribe("alike/#", options=SubscribeOptions(qos=2, retainAsPublished=True))
            else:
                await client.subscribe("alike/#", qos=2)
        for sender in (fast, slow):
            for qos in (0, 1, 2):
                for payload in (b"", b"on", bytes(70_000)):
                    await sender.publish("alike/größe", payload, qos, properties=properties)
                    await sender.publish("alike/plain", payload, qos)
        for client in (fast, slow):
            messages = [await anext(client.messages) for _ in range(36)]
            # a message of QoS 2 comes a round trip later, so order holds within a QoS alone (MQTT 5, section 4.6)
            heard[client is fast] = [said(each) for each in sorted(messages, key=lambda each: each.qos)]
    assert heard[True] == heard[False]
    for first in range(0, 36, 12):
        assert heard[True][first : first + 6] == heard[True][first + 6 : first + 12]


@both_versions
@on_both
async def test_both_say_the_same(protocol: ProtocolVersion) -> None:
    """Byte for byte, in the order in which it was asked for, whoever encodes it: publishes, subscriptions, DISCONNECT."""
    sent: list[bytes] = []

    async def record(stream: SocketStream) -> None:
        first = await stream.receive()
        assert first[0] == 0x10
        await stream.send(CONNACK_5 if protocol is ProtocolVersion.V5 else CONNACK)
        sent.append(await until_closed(stream))

    async def speak(client: Client) -> None:
        async with client, anyio.create_task_group() as tasks:
            client.publish_nowait("a", b"1", 1)
            client.publish_nowait("b", b"2", 2)
            tasks.start_soon(client.subscribe, "c/#", 1)
            await anyio.wait_all_tasks_blocked()
            client.publish_nowait("d", bytes(300), 1, True)
            tasks.start_soon(client.unsubscribe, "c/#")
            await anyio.wait_all_tasks_blocked()
            client.publish_nowait("e", b"", 2)
            client.publish_nowait("größe", b"last", 0)
            client.send("without/receipt", b"kept", True)
            client.send("without/receipt", bytes(200))
            tasks.cancel_scope.cancel()

    for fast_path in (True, False):
        async with scripted_broker(record) as port:
            await speak(Client("127.0.0.1", port, protocol=protocol, identifier="c", fast_path=fast_path))
    fast, slow = sent
    assert fast == slow
    assert fast.endswith(b"\xe0\x00")
