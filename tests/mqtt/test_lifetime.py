"""Connecting and closing: what is refused is said in words, what is given up leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from halloween_host.mqtt import Client, MqttCodeError, MqttError, Properties, ProtocolVersion, TLSParameters, Will
from halloween_host.mqtt._opening import Opening
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port
from tests.mqtt.backends import DISCONNECT, client_of, on_both, scripted_broker, until_closed
from tests.mqtt.test_client import both_versions


async def enter(client: Client) -> None:
    async with client:
        raise AssertionError("connected")


@on_both
async def test_nobody_listens() -> None:
    """The text names host, port and cause."""
    port = free_port()
    with pytest.raises(
        MqttError, match=f"^no connection to 127.0.0.1:{port}: connection refused: nothing listens there$"
    ):
        await enter(Client("127.0.0.1", port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 70, "a\0b"])
@on_both
async def test_no_such_host(host: str) -> None:
    """A name that no resolver knows, or that no host can have, is no crash."""
    with pytest.raises(MqttError, match="no such host"):
        await enter(Client(host))


@pytest.mark.parametrize(("protocol", "code"), [(ProtocolVersion.V311, 5), (ProtocolVersion.V5, 135)])
@on_both
async def test_a_wrong_password_is_told(make_mosquitto: MakeMosquitto, protocol: ProtocolVersion, code: int) -> None:
    """The error has the CONNACK's code; the right password connects."""
    broker = make_mosquitto(users={"ann": "secret"})
    with pytest.raises(MqttCodeError, match="refused the connection: not authorised") as caught:
        await enter(client_of(broker, protocol=protocol, username="ann", password="wrong"))
    assert caught.value.reason_code == code
    assert caught.value.not_authorised
    assert not caught.value.unsupported_protocol
    async with client_of(broker, protocol=protocol, username="ann", password="secret") as client:
        assert client.connected


@pytest.mark.parametrize(
    ("protocol", "connack", "code"),
    [
        (ProtocolVersion.V311, b"\x20\x02\x00\x01", 1),
        (ProtocolVersion.V311, b"\x20\x02\x00\x04", 4),
        (ProtocolVersion.V5, b"\x20\x02\x00\x01", 132),
        (ProtocolVersion.V5, b"\x20\x03\x00\x84\x00", 132),
        (ProtocolVersion.V5, b"\x20\x0b\x00\x86\x08\x1f\x00\x05sorry", 134),
    ],
)
@on_both
async def test_a_refusal_carries_its_code(protocol: ProtocolVersion, connack: bytes, code: int) -> None:
    """A broker without MQTT 5 answers in the old form; MQTT 5's reason string is part of the text."""

    async def refuse(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(connack)
        await until_closed(stream)

    async with scripted_broker(refuse) as port:
        with pytest.raises(MqttCodeError) as caught:
            await enter(Client("127.0.0.1", port, protocol=protocol))
    assert caught.value.reason_code == code
    assert caught.value.unsupported_protocol == (code in (1, 132))
    assert ("sorry" in str(caught.value)) == (b"sorry" in connack)


@on_both
async def test_a_broker_that_never_answers(broker: Mosquitto) -> None:
    """`timeout` bounds the whole of connecting."""
    broker.freeze()
    with pytest.raises(MqttError, match=r"no connection to .*: no answer within 0.2 s"):
        await enter(client_of(broker, timeout=0.2))


@on_both
async def test_something_that_speaks_no_mqtt() -> None:
    """An HTTP server's answer ends in an error, not in a hang."""

    async def answer(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    async with scripted_broker(answer) as port:
        with pytest.raises(MqttError, match=r"connection to .* lost"):
            await enter(Client("127.0.0.1", port))


@both_versions
@on_both
async def test_the_will_speaks_when_we_cannot(mosquitto: Mosquitto, protocol: ProtocolVersion) -> None:
    """A connection that breaks publishes it; one that is closed, even by an error or a cancellation, does not."""
    will = Will("will/of/us", "offline", qos=1)
    async with client_of(mosquitto) as watcher:
        await watcher.subscribe("will/#", qos=1)
        with pytest.raises(KeyError):
            async with client_of(mosquitto, protocol=protocol, will=will):
                raise KeyError("the body's own error, in no exception group")
        with anyio.CancelScope() as scope:
            async with client_of(mosquitto, protocol=protocol, will=will):
                scope.cancel()
                await anyio.sleep_forever()
        async with client_of(mosquitto, protocol=protocol, will=will) as client:
            client._connection._transport._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # the cable pulled
            assert "closed the connection" in str(await client.wait_disconnected())
        assert (await anext(watcher.messages)).payload == b"offline"
        await watcher.publish("will/last", "", qos=1)
        assert (await anext(watcher.messages)).topic == "will/last"


@on_both
async def test_a_client_is_entered_once(mosquitto: Mosquitto) -> None:
    """One object is one connection; outside its `async with` every call says so."""
    client = client_of(mosquitto)
    with pytest.raises(MqttError, match="inside its `async with`"):
        await client.publish("a", "b")
    assert not client.connected
    async with client:
        with pytest.raises(MqttError, match="entered once"):
            await enter(client)
        assert client.connected
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: client.publish("a", "b"),
        lambda: client.subscribe("a"),
        lambda: client.unsubscribe("a"),
        lambda: client.room(),
        lambda: anext(client.messages),
        lambda: client.messages.batch(),
    ]
    for call in calls:
        with pytest.raises(MqttError, match="was closed"):
            await call()
    with pytest.raises(MqttError, match="entered once"):
        await enter(client)


@on_both
async def test_leaving_says_good_bye(mosquitto: Mosquitto) -> None:
    """DISCONNECT goes out after all that was published, and the broker has read it when the block is left."""
    name = f"bye-{threading.get_native_id()}-{mosquitto.log().count('bye-')}"
    async with client_of(mosquitto) as watcher:
        await watcher.subscribe("bye", qos=1)
        async with client_of(mosquitto, identifier=name) as client:
            for number in range(100):
                client.publish_nowait("bye", str(number), 0)
        assert f"Client {name} disconnected." in mosquitto.log()
        assert [int((await anext(watcher.messages)).payload) for _ in range(100)] == list(range(100))


@pytest.mark.parametrize("phase", ["tcp", "tls", "websocket", "connack"])
@on_both
async def test_a_cancelled_connect_sends_no_connect_packet(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    """Its thread ends at once, its socket is closed, and the broker never sees a ghost of it.

    Without that the ghost's CONNECT takes the client id over from the next attempt.
    """
    thread_ended = threading.Event()
    original = Opening._open

    def observed(self: Opening) -> object:
        try:
            return original(self)
        finally:
            thread_ended.set()

    monkeypatch.setattr(Opening, "_open", observed)
    ways: dict[str, dict[str, Any]] = {
        "tls": {"tls_params": TLSParameters(), "tls_insecure": True},
        "websocket": {"transport": "websockets"},
    }
    if phase == "tcp":
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            address = full.getsockname()
            with socket.create_connection(address):  # the backlog is full now: the next SYN is not answered
                with anyio.move_on_after(0.1) as scope:
                    await enter(Client(*address, timeout=20))
    else:
        heard: list[bytes] = []
        connected, closed = anyio.Event(), anyio.Event()

        async def say_nothing(stream: SocketStream) -> None:
            heard.append(await stream.receive())
            connected.set()
            heard.append(await until_closed(stream))
            closed.set()

        async with scripted_broker(say_nothing) as port, anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:

                async def cancel() -> None:
                    await connected.wait()
                    scope.cancel()

                tasks.start_soon(cancel)
                await enter(Client("127.0.0.1", port, timeout=20, **ways.get(phase, {})))
            await closed.wait()
        if phase == "connack":
            assert heard[0].startswith(b"\x10")
            assert heard[1] in (b"", DISCONNECT)
        else:
            assert b"MQTT" not in b"".join(heard)
    assert scope.cancelled_caught
    with anyio.fail_after(5):
        await anyio.to_thread.run_sync(thread_ended.wait, 5)


def test_no_thread_and_no_socket_is_left(mosquitto: Mosquitto) -> None:
    """After the event loop only its own cached workers may remain; unclosed sockets would be warnings, so errors here."""

    async def scenario() -> None:
        async with client_of(mosquitto) as client:
            await client.subscribe("#")
            assert not [thread for thread in threading.enumerate() if "paho" in thread.name]
        with pytest.raises(MqttError):
            await enter(client_of(mosquitto, tls_params=TLSParameters()))

    before = set(threading.enumerate())
    anyio.run(scenario, backend="asyncio")
    for thread in set(threading.enumerate()) - before:
        thread.join(5)  # anyio has told its worker to end
    assert set(threading.enumerate()) <= before
    anyio.run(scenario, backend="trio")
    assert {thread.name.split(" thread ")[0] for thread in set(threading.enumerate()) - before} <= {"Trio"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"hostname": ""},
        {"port": 0},
        {"port": 70_000},
        {"max_inflight_messages": 0},
        {"keepalive": -1},
        {"properties": Properties(1)},  # type: ignore[no-untyped-call]  # paho leaves it without annotations
        {"will": Will("a/+")},
        {"protocol": ProtocolVersion.V5, "clean_session": False},
        {"clean_session": False},
    ],
    ids=lambda arguments: "+".join(arguments),
)
def test_impossible_arguments(arguments: dict[str, object]) -> None:
    """What no connection can have is told by the constructor."""
    with pytest.raises(ValueError, match=r".+"):
        Client(**{"hostname": "localhost", **arguments})  # type: ignore[arg-type]  # the mistakes under test
