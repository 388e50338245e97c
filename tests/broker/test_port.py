"""Who holds the port decides: a broker is used, a stranger is an error, a failed start tells why."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from halloween_host.broker import BrokerAddress, EmbeddedBroker, _embedded, _process, _programs
from halloween_host.broker._probe import connect_packet, probe
from halloween_host.broker._programs import Program, find_program
from halloween_host.errors import BrokerError
from tests.broker.conftest import Log
from tests.broker.processes import (
    Name,
    both_programs,
    descendants,
    fake_program,
    round_trip,
)
from tests.mosquitto import Mosquitto, free_port, program


async def test_a_broker_that_answers_is_used(broker: Mosquitto, log: Log) -> None:
    """`run` tells its address and returns; no process is started; a line says so."""
    before = descendants()
    async with trio.open_nursery() as nursery:
        address = await nursery.start(EmbeddedBroker(broker.host, broker.port).run)
    assert address == BrokerAddress(broker.host, broker.port, None)
    assert [line["event"] for line in log.lines] == [
        f"A broker already answers on {broker.host}:{broker.port}: using that one"
    ]
    assert descendants() == before


async def test_a_broker_that_refuses_is_a_broker(make_mosquitto: Callable[..., Mosquitto]) -> None:
    """CONNACK "not authorised" is an answer too."""
    server = make_mosquitto(users={"wizard": "secret"})
    assert (await probe(server.host, server.port)).kind == "broker"


async def test_embedded_only_insists(broker: Mosquitto) -> None:
    """Who asked for a broker of ours gets an error when the port is another's, with the way out."""
    with pytest.raises(
        BrokerError, match=rf"held by another broker; choose another port with --broker embedded:{broker.port + 1},"
    ):
        await EmbeddedBroker(broker.host, broker.port, embedded_only=True).run()


async def hang_up(stream: trio.SocketStream) -> None:
    await stream.receive_some(1)


async def keep_silent(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def talk_http(stream: trio.SocketStream) -> None:
    await stream.receive_some(100)
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def stutter(stream: trio.SocketStream) -> None:
    await stream.receive_some(100)
    await stream.send_all(b"\x20\x02")


@pytest.mark.parametrize(
    ("stranger", "detail"),
    [
        (hang_up, "it closed the connection"),
        (keep_silent, "it gave no answer to an MQTT CONNECT in 2 s"),
        (talk_http, r"it answered b'HTTP/1.1 400 Bad'"),
        (stutter, r"it answered b' \x02'"),
    ],
)
async def test_a_port_held_by_a_stranger_is_an_error(
    stranger: Callable[[trio.SocketStream], Awaitable[None]], detail: str
) -> None:
    """What is no broker is told with what it did and how to choose another port."""
    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, stranger, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        with trio.fail_after(5), pytest.raises(BrokerError) as caught:
            await EmbeddedBroker("127.0.0.1", port).run()
        nursery.cancel_scope.cancel()
    text = str(caught.value)
    assert f"127.0.0.1:{port} is held by something that is no MQTT broker ({detail})" in text
    assert "--broker embedded:" in text
    assert "MQTT_HOST=" in text


async def test_two_hosts_at_once_share_one_broker(log: Log) -> None:
    """Two start at the same moment on one port: both get a broker, neither fails."""
    port = free_port()
    async with trio.open_nursery() as nursery:
        with trio.fail_after(20):
            async with trio.open_nursery() as starting:
                for _ in range(2):
                    starting.start_soon(nursery.start, EmbeddedBroker("127.0.0.1", port, prefer="mosquitto").run)
        await round_trip(port)
        nursery.cancel_scope.cancel()


@both_programs
async def test_a_port_that_cannot_be_bound_is_one_clear_error(name: Name, log: Log) -> None:
    """A port that is bound though nobody listens: the error holds the program's own last word."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(BrokerError, match=r"(?i)it said: .*address already in use"):
            await EmbeddedBroker("127.0.0.1", holder.getsockname()[1], prefer=name).run()


async def test_a_refused_configuration_is_one_clear_error(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """mosquitto that does not take its configuration: its complaint is in the error."""
    found = find_program("127.0.0.1", free_port(), prefer="mosquitto")
    assert found is not None
    monkeypatch.setattr(_embedded, "find_program", lambda *_, **__: attrs.evolve(found, config="bogus 1\n"))
    with pytest.raises(BrokerError, match=r'it ended with status 3; it said: .*Unknown configuration variable "bogus"'):
        await EmbeddedBroker("127.0.0.1", free_port()).run()


async def test_a_program_that_cannot_be_run_is_one_clear_error(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mosquitto that is no program: the error says which file and why."""
    fake = Program(name="mosquitto", command=("/nonexistent/mosquitto", "-c"), config="", config_suffix=".conf")
    monkeypatch.setattr(_embedded, "find_program", lambda *_, **__: fake)
    with pytest.raises(BrokerError, match=r"cannot run /nonexistent/mosquitto: .*No such file"):
        await EmbeddedBroker("127.0.0.1", free_port()).run()


async def test_a_temporary_folder_that_cannot_be_made_is_one_clear_error(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or read-only disk is told as such."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(BrokerError, match=r"no temporary folder: .*No such file"):
        await EmbeddedBroker("127.0.0.1", free_port()).run()


async def test_a_program_that_never_answers_is_given_up(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline for the start it is ended and reported."""
    monkeypatch.setattr(_process, "START_S", 0.3)
    monkeypatch.setattr(_embedded, "find_program", fake_program("import signal; signal.pause()"))
    with pytest.raises(BrokerError, match=r"it did not answer in 0\.3 s"):
        await EmbeddedBroker("127.0.0.1", free_port()).run()
    assert descendants() == []


async def test_no_broker_program_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mosquitto and amqtt the error says what to install."""
    monkeypatch.setattr(_programs, "_which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BrokerError, match="neither mosquitto nor amqtt is installed; install mosquitto"):
        await EmbeddedBroker("127.0.0.1", free_port()).run()


def test_mosquitto_is_preferred_and_amqtt_serves_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """mosquitto is found off the PATH too; where there is none, amqtt is chosen."""
    monkeypatch.setattr(_programs, "_SERVER_FOLDERS", (str(Path(program("mosquitto")).parent),))
    monkeypatch.setenv("PATH", str(tmp_path))
    chosen = find_program("127.0.0.1", 1883)
    assert chosen is not None
    assert chosen.name == "mosquitto"
    monkeypatch.setattr(_programs, "_SERVER_FOLDERS", ())
    chosen = find_program("127.0.0.1", 1883)
    assert chosen is not None
    assert chosen.name == "amqtt"
    assert find_program("127.0.0.1", 1883, prefer="mosquitto") is None


def test_the_probe_is_a_connect_of_mqtt_3_1_1() -> None:
    """Byte for byte MQTT 3.1.1, section 3.1: clean session, keep-alive 10 s, the client id."""
    assert connect_packet("probe1") == b"\x10\x12\x00\x04MQTT\x04\x02\x00\x0a\x00\x06probe1"
