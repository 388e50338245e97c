"""A blocking client comes back by itself for ever, tells each trouble once, and sends nothing twice."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from halloween_host.mqtt import BlockingClient, Message, MqttCodeError, MqttError, MqttTimeoutError, ProtocolVersion
from tests.certificates import make_certificates
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port
from tests.mqtt.backends import CONNACK
from tests.mqtt.blocking import DEADLINE_S, Heard, Open, serve, speak, until_end


def test_publish_without_a_broker_says_false(open_client: Open, heard: Heard) -> None:
    """At once, whatever `wait_s` is, and nothing of it is sent later."""
    client = open_client(free_port())
    error = heard.next()
    assert "nothing listens there" in str(error)
    began = time.monotonic()
    assert client.publish("x", "late", 1, wait_s=10.0) is False
    assert time.monotonic() - began < 5.0


def test_it_comes_back_and_sends_nothing_twice(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """The broker is killed and restarted: subscribed anew, and a publish that it never acknowledged is not repeated."""
    client = open_client(broker)
    assert heard.next() == "subscribed"
    broker.freeze()
    assert client.publish("x", "into the void", 1, wait_s=0.05) is False
    broker.kill()
    assert f"127.0.0.1:{broker.port}" in str(heard.until(lambda one: isinstance(one, MqttError)))
    assert not client.subscribed
    broker.start()
    heard.until(lambda one: one == "subscribed")
    assert client.publish("x", "again", 1, wait_s=DEADLINE_S)
    assert heard.next().payload == b"again"


def test_another_client_with_its_id(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """The loss is told, and it does not come back at once to take the other's place in turn."""
    open_client(broker, random_=lambda: 1.0)
    assert heard.next() == "subscribed"
    second = Heard()
    rival = second.client("127.0.0.1", broker.port)
    rival.start()
    try:
        assert second.next() == "subscribed"
        assert isinstance(heard.next(), MqttError)
        with pytest.raises(Empty):
            second.next(0.3)
    finally:
        rival.close(5.0)


# paho leaves the socket of a failed hand-shake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_untrusted_certificate_is_told_in_words(
    make_mosquitto: MakeMosquitto, open_client: Open, heard: Heard, tmp_path: Path
) -> None:
    """And tried again: the certificate may be replaced."""
    broker = make_mosquitto(config_lines=make_certificates(tmp_path).listener)
    open_client(broker, tls_context=ssl.create_default_context())
    for _ in range(3):
        assert "the broker's TLS certificate is not trusted" in str(heard.next())


def test_a_broker_without_mqtt_5(open_client: Open, heard: Heard) -> None:
    """Refused with "unsupported protocol version", or not answered at all, it tries 3.1.1 at once; then stays with it."""
    versions: list[int] = []

    def refuse(connection: socket.socket, connect: bytes) -> None:
        versions.append(connect[8])
        connection.sendall(b"\x20\x02\x00\x01")

    def ignore(connection: socket.socket, connect: bytes) -> None:
        versions.append(connect[8])
        until_end(connection)

    def accept(connection: socket.socket, connect: bytes) -> None:
        versions.append(connect[8])
        connection.sendall(CONNACK)
        subscribe = connection.recv(4096)
        connection.sendall(b"\x90\x03" + subscribe[2:4] + b"\x01")
        until_end(connection)

    for first in (refuse, ignore):
        versions.clear()
        port, thread = serve([first, accept])
        client = open_client(port, timeout=0.3)
        assert heard.next() == "subscribed"
        assert versions == [5, 4]
        client.close(5.0)
        thread.join(DEADLINE_S)


def test_a_broker_that_speaks_nonsense(open_client: Open, heard: Heard) -> None:
    """Bytes that are no MQTT, an end in mid-packet, silence after CONNACK: each is a trouble, and the next attempt comes."""

    def nonsense(connection: socket.socket, _connect: bytes) -> None:
        connection.sendall(b"\x20\x05\x00\x00\xff\xff\xff\xf0\xff\xff\xff\xff\xff")
        until_end(connection)

    def cut(connection: socket.socket, _connect: bytes) -> None:
        connection.sendall(b"\x20")

    def mute(connection: socket.socket, _connect: bytes) -> None:
        connection.sendall(b"\x20\x03\x00\x00\x00")
        until_end(connection)

    port, thread = serve([nonsense, cut, mute])
    open_client(port, protocol=ProtocolVersion.V5, timeout=1.0)
    told = [heard.next() for _ in range(3)]
    assert "protocol error" in str(told[0])
    assert all(isinstance(error, MqttError) for error in told)
    assert isinstance(told[2], MqttTimeoutError)
    assert "subscription was not acknowledged in 1 s" in str(told[2])
    thread.join(DEADLINE_S)


def test_a_link_that_is_cut_is_noticed_by_its_keep_alive(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """A broker that answers nothing any more costs one and a half keep-alives, and it is back when the broker is."""
    client = open_client(broker, keepalive=1)
    assert heard.next() == "subscribed"
    broker.freeze()
    began = time.monotonic()
    assert isinstance(heard.next(), MqttError)
    assert time.monotonic() - began < 8.0
    assert not client.subscribed
    broker.thaw()
    heard.until(lambda one: one == "subscribed")


def test_a_callback_with_a_bug_does_not_end_it(broker: Mosquitto, open_client: Open, heard: Heard) -> None:
    """Told as a trouble; then it connects again."""
    bugs = iter([RuntimeError("a bug")])

    def raise_once(message: Message) -> None:
        if (bug := next(bugs, None)) is not None:
            raise bug
        arrived.put(message)

    arrived: SimpleQueue[Message] = SimpleQueue()
    client = BlockingClient(
        "127.0.0.1",
        broker.port,
        identifier="buggy",
        filters=["x"],
        on_message=raise_once,
        on_subscribed=lambda: heard._queue.put("subscribed"),
        on_trouble=heard._queue.put,
        random_=lambda: 0.02,
    )
    client.start()
    try:
        assert heard.next() == "subscribed"
        speak(broker, "one")
        assert "RuntimeError: a bug" in str(heard.next())
        heard.until(lambda one: one == "subscribed")
        speak(broker, "two")
        assert arrived.get(timeout=DEADLINE_S).payload == b"two"
    finally:
        client.close(5.0)


def test_a_filter_that_is_refused_is_told(make_mosquitto: MakeMosquitto, open_client: Open, heard: Heard) -> None:
    """As a reason code, and it is not subscribed; a user without a password is no user."""
    broker = make_mosquitto(users={"haunt": "boo"})
    client = open_client(broker)
    error = heard.next()
    assert isinstance(error, MqttCodeError)
    assert error.not_authorised
    assert "refused the connection" in str(error)
    client.close(5.0)
    open_client(broker, username="haunt", password="boo", identifier="second")
    heard.until(lambda one: one == "subscribed")
