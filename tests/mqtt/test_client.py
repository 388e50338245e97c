"""Subscribing, publishing and receiving on a real mosquitto, in MQTT 3.1.1 and 5."""

from __future__ import annotations

import re
from functools import partial

import anyio
import pytest
from anyio.abc import SocketStream

from halloween_host.mqtt import (
    Client,
    MqttCodeError,
    MqttError,
    PayloadType,
    ProtocolVersion,
    SubscribeOptions,
    Wildcard,
)
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto
from tests.mqtt.backends import CONNACK, client_of, on_both, scripted_broker, until_closed

both_versions = pytest.mark.parametrize("protocol", list(ProtocolVersion), ids=lambda version: version.name)


@both_versions
@on_both
async def test_messages_come_back_as_they_were_sent(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """QoS 0, 1 and 2, text, bytes, numbers and nothing make the round trip, in order."""
    payloads: list[PayloadType] = ["fire 500", b"\x00\xff", 5, 2.5, None, "ö"]
    async with client_of(mosquitto, protocol=protocol) as client:
        assert await client.subscribe("round/+", qos=2) == (2,)
        for qos in (0, 1, 2):
            for payload in payloads:
                await client.publish("round/trip", payload, qos=qos)
        heard = [await anext(client.messages) for _ in range(18)]
        assert [message.payload for message in heard] == [b"fire 500", b"\x00\xff", b"5", b"2.5", b"", "ö".encode()] * 3
        assert [message.qos for message in heard] == [0] * 6 + [1] * 6 + [2] * 6
        assert {message.topic for message in heard} == {"round/trip"}
        assert heard[0].topic.matches("round/#")
        assert not any(message.retain for message in heard)
        assert len(client.messages) == 0


@both_versions
@on_both
async def test_a_retained_message_greets_a_subscriber(broker: Mosquitto, protocol: ProtocolVersion) -> None:
    """It comes with its flag; an empty retained one takes it away."""
    async with client_of(broker, protocol=protocol) as client:
        await client.publish("kept", "online", qos=1, retain=True)
        await client.subscribe("kept", qos=1)
        message = await anext(client.messages)
        assert (message.payload, message.retain) == (b"online", True)
        await client.publish("kept", None, qos=1, retain=True)
        await client.unsubscribe("kept")
        await client.subscribe("#")
        await client.publish("other", "1")
        assert [message.topic for message in (await anext(client.messages), await anext(client.messages))] == [
            "kept",
            "other",
        ]


@on_both
async def test_ten_thousand_messages_stay_in_order(mosquitto: Mosquitto) -> None:
    """Taken in batches, at QoS 1 both ways, none is lost and none overtakes another."""
    async with client_of(mosquitto) as client, anyio.create_task_group() as tasks:
        await client.subscribe("many", qos=1)

        async def publish() -> None:
            for number in range(10_000):
                client.publish_nowait("many", str(number), 1)
                await client.room()

        tasks.start_soon(publish)
        heard: list[int] = []
        while len(heard) < 10_000:
            batch = await client.messages.batch()
            assert batch
            heard += [int(message.payload) for message in batch]
        assert heard == list(range(10_000))


@both_versions
@on_both
async def test_a_mebibyte_passes_whole(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """A payload far above every buffer comes back the same."""
    payload = bytes(range(256)) * 4096
    async with client_of(mosquitto, protocol=protocol) as client:
        await client.subscribe("large", qos=1)
        await client.publish("large", payload, qos=1)
        assert (await anext(client.messages)).payload == payload


@both_versions
@on_both
async def test_many_tasks_publish_at_once(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """300 publishes of QoS 2 in flight at once are all acknowledged: the broker's receive maximum (20) is kept."""
    async with client_of(mosquitto, protocol=protocol) as client:
        await client.subscribe("crowd/#", qos=2)
        async with anyio.create_task_group() as tasks:
            for number in range(300):
                tasks.start_soon(client.publish, f"crowd/{number}", b"", 2)
        assert len({(await anext(client.messages)).topic for _ in range(300)}) == 300


@on_both
async def test_a_publisher_waits_for_a_broker_that_does_not_read(broker: Mosquitto) -> None:
    """Above 256 KiB unsent `publish` at QoS 0 waits: memory stays bounded; the last task is released by room."""
    async with client_of(broker) as client:
        broker.freeze()
        with anyio.move_on_after(0.5) as waited:
            for _ in range(1_000):
                await client.publish("flood", bytes(100_000))
        assert waited.cancelled_caught
        broker.thaw()
        await client.publish("flood", "last", qos=1)


@on_both
async def test_subscriptions_in_all_spellings(mosquitto: Mosquitto) -> None:
    """A filter, a Wildcard, pairs with QoS or options, and lists of them; unsubscribing what never was is no error."""
    async with client_of(mosquitto, protocol=ProtocolVersion.V5) as client:
        assert await client.subscribe(Wildcard("a/+"), qos=1) == (1,)
        assert await client.subscribe(("b", 2)) == (2,)
        assert await client.subscribe(["c", ("d", 0), ("e", SubscribeOptions(qos=2, noLocal=True))], qos=1) == (1, 0, 2)
        assert await client.subscribe("f", options=SubscribeOptions(qos=1)) == (1,)
        await client.unsubscribe(["a/+", "never/was"])
        await client.publish("a/x", "unheard", qos=1)
        await client.publish("e", "not to ourselves", qos=1)
        await client.publish("b", "heard", qos=1)
        assert (await anext(client.messages)).payload == b"heard"


@on_both
async def test_a_refused_subscription_raises() -> None:
    """The error names the filter, and the connection lives on (mosquitto grants every subscription)."""

    async def refuse_second(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(CONNACK)
        await stream.receive()
        await stream.send(b"\x90\x04\x00\x01\x01\x80\x30\x04\x00\x01t1")
        await until_closed(stream)

    async with scripted_broker(refuse_second) as port, Client("127.0.0.1", port) as client:
        with pytest.raises(MqttCodeError, match=r"subscription to 'secret/#' refused") as caught:
            await client.subscribe(["open/#", "secret/#"], qos=1)
        assert caught.value.reason_code == caught.value.rc == 128
        assert (await anext(client.messages)).payload == b"1"


@pytest.mark.parametrize("qos", [1, 2])
@on_both
async def test_a_refused_publish_raises_under_mqtt_5(make_mosquitto: MakeMosquitto, qos: int) -> None:
    """PUBACK and PUBREC carry the reason; MQTT 3.1.1 has no way to say so."""
    broker = make_mosquitto(acl=["topic readwrite open/#"])
    async with client_of(broker, protocol=ProtocolVersion.V5) as client:
        with pytest.raises(MqttCodeError, match="publish to 'shut' refused: not authorised") as caught:
            await client.publish("shut", "1", qos=qos)
        assert caught.value.not_authorised
        await client.publish("open/x", "1", qos=qos)
    async with client_of(broker) as client:
        await client.publish("shut", "1", qos=qos)


@on_both
async def test_a_receipt_tells_when_its_message_is_acknowledged(mosquitto: Mosquitto) -> None:
    """QoS 0 is done at once, QoS 1 when its PUBACK came; `on_done` is called once each, in order."""
    done: list[str] = []
    async with client_of(mosquitto, max_inflight_messages=2) as client:
        receipts = [
            client.publish_nowait(f"r/{n}", b"", qos=min(n, 1), on_done=lambda receipt: done.append(receipt.topic))
            for n in range(6)
        ]
        assert [receipt.acknowledged for receipt in receipts] == [True, *[False] * 5]
        await receipts[5].wait()
        await receipts[5].wait()
        assert all(receipt.acknowledged and receipt.done and receipt.error is None for receipt in receipts)
    assert done == [f"r/{n}" for n in range(6)]


@both_versions
@on_both
async def test_what_is_sent_without_a_receipt(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """It arrives in its order among the others, and what cannot be sent raises as a publish does."""
    for fast_path in (True, False):
        async with client_of(mosquitto, protocol=protocol, fast_path=fast_path) as client:
            await client.subscribe("sent", 1)
            for number in range(6):
                if number % 2:
                    client.send("sent", b"%d" % number)
                else:
                    client.publish_nowait("sent", b"%d" % number, 1)
            assert [(await anext(client.messages)).payload for _ in range(6)] == [b"%d" % each for each in range(6)]
            with pytest.raises(ValueError, match="topic"):
                client.send("sent/#", b"")
        with pytest.raises(MqttError):
            client.send("sent", b"")


@on_both
async def test_the_line_of_waiting_publishes_is_bounded(broker: Mosquitto) -> None:
    """Beyond `max_queued_outgoing_messages` a publish raises, and a cancelled one leaves the line."""
    narrow = client_of(broker, max_inflight_messages=1, max_queued_outgoing_messages=2)
    async with narrow as client, client_of(broker) as other:
        await other.subscribe("line/#", qos=1)
        broker.freeze()
        client.publish_nowait("line/1", b"", 1)
        client.publish_nowait("line/2", b"", 1)
        with anyio.move_on_after(0.05):
            await client.publish("line/taken back", b"", 1)
        client.publish_nowait("line/3", b"", 1)
        with pytest.raises(MqttError, match="2 publishes wait already"):
            client.publish_nowait("line/4", b"", 1)
        broker.thaw()
        assert [(await anext(other.messages)).topic for _ in range(3)] == ["line/1", "line/2", "line/3"]


@on_both
async def test_messages_beyond_the_bound_are_dropped_and_counted(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest stay, the newest go, and one warning says so."""
    async with client_of(mosquitto, max_queued_incoming_messages=10) as client:
        await client.subscribe("over", qos=1)
        for number in range(50):
            client.publish_nowait("over", str(number), 1)
        await client.publish("over/last", "", 1)
        await client.unsubscribe("over")
        assert [int(message.payload) for message in await client.messages.batch()] == list(range(10))
        assert client.messages.dropped == 40
    (said,) = [record.message for record in caplog.records if "dropped" in record.message]
    where = f"from 127.0.0.1:{mosquitto.port}"
    assert re.fullmatch(rf"incoming queue full, newest messages dropped: [1-9]\d* so far {re.escape(where)}", said)


@on_both
async def test_wrong_arguments_are_told_at_once(mosquitto: Mosquitto) -> None:
    """Nothing of a wrong call reaches the broker."""
    async with client_of(mosquitto) as client:
        for topic in ("", "a/+", "a\0b", "a" * 70_000, "\ud800"):
            with pytest.raises(ValueError, match="topic"):
                await client.publish(topic, "1", 1)
        with pytest.raises(ValueError, match="QoS 3"):
            await client.publish("a", "1", 3)
        with pytest.raises(TypeError, match="not dict"):
            await client.publish("a", {"a": 1})  # type: ignore[arg-type]  # the mistake under test
        with pytest.raises(ValueError, match="whole level"):
            await client.subscribe("a+")
        with pytest.raises(ValueError, match="QoS"):
            await client.subscribe("a", qos=3)
        await client.publish("a", "still connected", 1)


@on_both
async def test_the_broker_gives_a_client_its_name(mosquitto: Mosquitto) -> None:
    """MQTT 5 tells the client id that the broker assigned; one that was given stays."""
    async with client_of(mosquitto, protocol=ProtocolVersion.V5) as client:
        assert client.identifier.startswith("auto-")
    async with client_of(mosquitto, identifier="ann") as client:
        assert client.identifier == "ann"


@on_both
async def test_an_mqtt_5_brokers_limits_are_kept() -> None:
    """Receive maximum, maximum packet size and server keep-alive of its CONNACK bind the client."""
    limits = b"\x21\x00\x02" + b"\x27\x00\x00\x00\x64" + b"\x13\x00\x07"
    sent: list[bytes] = []

    async def limited(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"\x20" + bytes([3 + len(limits), 0, 0, len(limits)]) + limits)
        sent.append(await until_closed(stream))

    async with scripted_broker(limited) as port, Client("127.0.0.1", port, protocol=ProtocolVersion.V5) as client:
        for publish in (partial(client.publish_nowait, "a", bytes(100), 1), partial(client.send, "a", bytes(90))):
            with pytest.raises(MqttCodeError, match=r"publish to 'a' refused.*at most 100 bytes") as caught:
                publish()
            assert caught.value.reason_code == 149
        client.send("a", bytes(89))
        for number in range(3):
            client.publish_nowait("limit", f"message {number}", 1)
        assert client._connection is not None
        assert client._connection.paho.keepalive == 7
    assert sent[0].count(b"message") == 2
