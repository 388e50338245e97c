"""A client with a thread of its own hears and speaks while everybody else waits."""

from __future__ import annotations

import resource
import socket
import ssl
import threading
import time
from pathlib import Path
from queue import SimpleQueue

import pytest

from halloween_host.mqtt import ProtocolVersion
from tests.certificates import make_certificates
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port
from tests.mqtt.backends import CONNACK
from tests.mqtt.blocking import DEADLINE_S, Heard, Open, serve, speak, until_end
from tests.mqtt.test_transports import websockets_on


@pytest.mark.parametrize("protocol", [None, ProtocolVersion.V311])
def test_messages_come_and_go(
    broker: Mosquitto, open_client: Open, heard: Heard, protocol: ProtocolVersion | None
) -> None:
    """Subscribed at QoS 1; what is published comes back, and an acknowledged publish says True."""
    client = open_client(broker, protocol=protocol)
    assert heard.next() == "subscribed"
    assert client.subscribed
    assert client.publish("x", "hello", 1, wait_s=DEADLINE_S)
    message = heard.next()
    assert (str(message.topic), message.payload, message.qos, message.retain) == ("x", b"hello", 1, False)
    large = bytes(300_000)
    assert client.publish("x", large, 1, wait_s=DEADLINE_S)
    assert heard.next().payload == large


def test_a_retained_message_is_marked(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """One that waited under both protocols; a live one under MQTT 5, which alone can say so."""
    speak(broker, "old", retain=True)
    for protocol, marked in ((ProtocolVersion.V5, True), (ProtocolVersion.V311, False)):
        client = open_client(broker, protocol=protocol)
        found = [heard.next(), heard.next()]
        assert [one.retain for one in found if one != "subscribed"] == [True]
        speak(broker, "live", retain=True)
        assert heard.next().retain is marked
        speak(broker, "old", retain=True)
        heard.next()
        client.close(5.0)


def test_publish_from_many_threads(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """Each is acknowledged, and none is lost."""
    client = open_client(broker)
    assert heard.next() == "subscribed"
    outcomes: SimpleQueue[bool] = SimpleQueue()

    def send(number: int) -> None:
        for each in range(25):
            outcomes.put(client.publish("x", f"{number} {each}", 1, wait_s=DEADLINE_S))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert all(outcomes.get(timeout=1.0) for _ in range(200))
    assert len({heard.next().payload for _ in range(200)}) == 200


def test_a_publish_wakes_the_clients_thread(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """It does not wait for the next tick, a second away."""
    client = open_client(broker, filters=["y"])
    assert heard.next() == "subscribed"
    began = time.monotonic()
    for number in range(10):
        assert client.publish("x", str(number), 1, wait_s=DEADLINE_S)
    assert time.monotonic() - began < 5.0


def test_over_tls_and_websockets(
    make_mosquitto: MakeMosquitto, open_client: Open, heard: Heard, tmp_path: Path
) -> None:
    """Each alone and both: messages of several TLS records come whole and at once."""
    certificates = make_certificates(tmp_path)
    context = ssl.create_default_context(cafile=str(certificates.ca))
    for tls, transport in ((True, "tcp"), (False, "websockets"), (True, "websockets")):
        port = free_port()
        lines = [*(websockets_on(port) if transport == "websockets" else []), *(certificates.listener if tls else [])]
        broker = make_mosquitto(config_lines=lines)
        port = port if transport == "websockets" else broker.port
        client = open_client(port, tls_context=context if tls else None, transport=transport)
        heard.until(lambda one: one == "subscribed")
        for size in (10, 40_000):
            assert client.publish("x", bytes(size), 1, wait_s=DEADLINE_S)
            assert len(heard.next().payload) == size
        client.close(5.0)


def test_many_packets_in_one_tls_record(open_client: Open, heard: Heard, tmp_path: Path) -> None:
    """TLS reads the whole record, after which no poll shows what is left of it: all are heard at once all the same."""
    certificates = make_certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)

    def burst(connection: socket.socket, _connect: bytes) -> None:
        connection.sendall(CONNACK)
        suback = b"\x90\x03" + connection.recv(4096)[2:4] + b"\x01"
        connection.sendall(suback + b"\x30\x04\x00\x01xy" * 20)
        until_end(connection)

    port, thread = serve([burst], context)
    trusted = ssl.create_default_context(cafile=str(certificates.ca))
    client = open_client(port, protocol=ProtocolVersion.V311, tls_context=trusted)
    assert heard.next() == "subscribed"
    began = time.monotonic()
    assert [heard.next().payload for _ in range(20)] == [b"y"] * 20
    assert time.monotonic() - began < 5.0
    client.close(5.0)
    thread.join(DEADLINE_S)


def test_a_descriptor_over_1023(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """A host of many workers has more files open than select(2) can name; the client does not care."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    held: list[socket.socket] = []
    try:
        while not held or held[-1].fileno() < 1030:
            held.append(socket.socket())
        client = open_client(broker)
        assert heard.next() == "subscribed"
        assert client.publish("x", "high", 1, wait_s=DEADLINE_S)
        assert heard.next().payload == b"high"
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_close_ends_the_thread_at_any_moment(broker: Mosquitto, heard: Heard) -> None:
    """Never started, connecting, subscribed, waiting for its next attempt; closed twice is closed."""
    never = heard.client("127.0.0.1", broker.port)
    never.close()
    never.close()
    for port, moment in ((broker.port, "subscribed"), (free_port(), "an error")):
        client = heard.client("127.0.0.1", port, random_=lambda: 1.0)
        client.start()
        heard.next()
        began = time.monotonic()
        client.close(5.0)
        client.close()
        assert time.monotonic() - began < 3.0, moment
        assert not [thread for thread in threading.enumerate() if thread.name == "mqtt guard"]
