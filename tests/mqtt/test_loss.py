"""A lost connection is told to everyone who waits for it, once, with its reason; nobody is cancelled."""

from __future__ import annotations

import os
import threading

import anyio
import anyio.abc
import pytest
from anyio.abc import SocketStream
from hypothesis import given, settings
from hypothesis import strategies as st

from halloween_host.mqtt import Client, MqttCodeError, MqttError, MqttTimeoutError, ProtocolVersion, Receipt
from tests.mosquitto import Mosquitto
from tests.mqtt.backends import CONNACK, CONNACK_5, client_of, on_both, scripted_broker, until_closed

PINGRESP = b"\xd0\x00"


@on_both
async def test_a_killed_broker_ends_the_iteration(broker: Mosquitto) -> None:
    """What had arrived is handed out first, then the iteration raises; so does every later call."""
    async with client_of(broker) as client:
        await client.subscribe("x", qos=1)
        for number in range(3):
            await client.publish("x", str(number), 1)
        broker.kill()
        lost = await client.wait_disconnected()
        assert f"connection to 127.0.0.1:{broker.port} lost" in str(lost)
        heard: list[bytes] = []

        async def iterate() -> None:
            async for message in client.messages:
                heard.append(message.payload)

        with pytest.raises(MqttError, match="lost"):
            await iterate()
        assert heard == [b"0", b"1", b"2"]
        for call in (client.publish("x"), client.subscribe("x"), client.unsubscribe("x"), client.room()):
            with pytest.raises(MqttError, match="lost"):
                await call
        with pytest.raises(MqttError, match="lost"):
            client.publish_nowait("x")
        assert not client.connected


@on_both
async def test_a_killed_broker_ends_every_wait(broker: Mosquitto) -> None:
    """Iterating, publishing, subscribing, waiting for room: each gets its own MqttError; a receipt has it as `error`."""
    errors: list[MqttError] = []
    done: list[Receipt] = []
    async with client_of(broker, max_inflight_messages=1) as client:
        broker.freeze()
        calls = [
            client.messages.batch,
            client.messages.__anext__,
            lambda: client.publish("x", "sent", 1),
            lambda: client.publish("x", "in line", 2),
            lambda: client.subscribe("x"),
            lambda: client.unsubscribe("x"),
            client.publish_nowait("x", "", 1, on_done=done.append).wait,
        ]
        async with anyio.create_task_group() as tasks:

            async def expect_error(index: int) -> None:
                with pytest.raises(MqttError, match="lost") as caught:
                    await calls[index]()
                errors.append(caught.value)

            for index in range(len(calls)):
                tasks.start_soon(expect_error, index)
            await anyio.wait_all_tasks_blocked()
            broker.kill()
    assert len({id(error) for error in errors}) == len(calls)
    assert [(receipt.acknowledged, receipt.done) for receipt in done] == [(False, True)]


@on_both
async def test_a_silent_broker_is_found_out_by_keep_alive(broker: Mosquitto) -> None:
    """No PINGRESP within half of `keepalive` ends the connection, though TCP sees nothing wrong."""
    async with client_of(broker, keepalive=1) as client:
        await anyio.sleep(1.5)  # a whole period: an answered PINGREQ keeps it open
        assert client.connected
        broker.freeze()
        with anyio.fail_after(5):
            error = await client.wait_disconnected()
        assert isinstance(error, MqttTimeoutError)
        assert "no answer to our keep-alive" in str(error)


@pytest.mark.parametrize(
    ("packet", "code", "text"),
    [
        (b"\xe0\x02\x8e\x00", 142, "session taken over by another client"),
        (b"\xe0\x01\x8b", 139, "server shutting down"),
        (b"\xe0\x00", 0, "normal disconnection"),
        (b"\xe0\x0a\x98\x08\x1f\x00\x05lunch", 152, "administrative action.*lunch"),
    ],
)
@on_both
async def test_the_brokers_reason_is_on_the_error(packet: bytes, code: int, text: str) -> None:
    """MQTT 5's DISCONNECT from the server gives an MqttCodeError everywhere (mosquitto 2.0.11 sends none at a takeover)."""

    async def dismiss(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(CONNACK_5)
        await stream.receive()
        await stream.send(packet)

    async with scripted_broker(dismiss) as port, Client("127.0.0.1", port, protocol=ProtocolVersion.V5) as client:
        await client.publish("go", "on")
        reason = await client.wait_disconnected()
        assert isinstance(reason, MqttCodeError)
        with pytest.raises(MqttCodeError, match=text) as caught:
            await anext(client.messages)
        assert caught.value.reason_code == reason.reason_code == code
        assert reason.taken_over == (code == 142)


@on_both
async def test_a_takeover_ends_the_first_client(broker: Mosquitto) -> None:
    """Whoever connects with our client id gets it; we learn that the connection is gone."""
    async with client_of(broker, identifier="one") as first, client_of(broker, identifier="one") as second:
        assert "lost" in str(await first.wait_disconnected())
        assert second.connected
        await second.publish("a", "b", 1)


@on_both
async def test_a_stopped_broker_is_lost_while_we_publish(broker: Mosquitto) -> None:
    """Writing into a dead connection gives MqttError, no OSError of any kind."""

    async def publish_on(client: Client) -> None:
        while True:
            await client.publish("x", bytes(10_000), 0)

    async with client_of(broker) as client:
        broker.kill()
        with pytest.raises(MqttError, match="lost"):
            await publish_on(client)


@on_both
async def test_a_late_loop_reads_before_it_judges() -> None:
    """A thread blocked beyond the keep-alive does not take an answer that lies in its socket for silence."""
    answered = anyio.Event()

    async def answer_then_block(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(CONNACK)
        await stream.receive()
        os.write(stream.extra(anyio.abc.SocketAttribute.raw_socket).fileno(), PINGRESP)  # without a checkpoint
        threading.Event().wait(1.7)
        answered.set()
        await until_closed(stream)

    async with scripted_broker(answer_then_block) as port, Client("127.0.0.1", port, keepalive=1) as client:
        assert client._connection is not None
        client._connection.paho._send_pingreq()
        await answered.wait()
        with anyio.move_on_after(0.3):
            await client.wait_disconnected()
        assert client.connected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(list(ProtocolVersion)))
def test_any_bytes_from_a_broker_end_in_an_mqtt_error(pieces: list[bytes], protocol: ProtocolVersion) -> None:
    """Whatever a broker sends, nothing but messages and MqttError comes out of the client."""

    async def babble(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(CONNACK_5 if protocol == ProtocolVersion.V5 else CONNACK)
        for piece in pieces:
            if piece:
                await stream.send(piece)

    async def listen(port: int) -> None:
        async with Client("127.0.0.1", port, protocol=protocol) as client:
            async for _ in client.messages:
                pass

    async def scenario() -> None:
        with anyio.fail_after(10):
            async with scripted_broker(babble) as port:
                with pytest.raises(MqttError):
                    await listen(port)

    anyio.run(scenario, backend="trio")


@on_both
async def test_a_malformed_packet_ends_the_connection() -> None:
    """A PUBLISH whose topic is no UTF-8 (MQTT 3.1.1, section 1.5.3) or has a wildcard is told as the broker's fault."""
    for packet in (
        b"\x30\x03\x00\x01\xff",
        b"\x30\x03\x00\x01#",
        b"\x30\x01\x00",
        b"\xff\x00",
        b"\x36\x05\x00\x01a\x00\x01",
    ):

        async def send(stream: SocketStream, packet: bytes = packet) -> None:
            await stream.receive()
            await stream.send(CONNACK + packet)
            await until_closed(stream)

        async with scripted_broker(send) as port:
            with pytest.raises(MqttError, match=r"malformed|protocol"):
                async with Client("127.0.0.1", port) as client:
                    await anext(client.messages)
