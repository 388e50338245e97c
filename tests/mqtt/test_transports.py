"""The same client over TLS, over websockets and over both; what is not trusted is refused in words."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import anyio
import pytest

from halloween_host.mqtt import Client, MqttError, TLSParameters
from halloween_host.mqtt._transport import OUT_BOUND, Transport
from tests.certificates import Certificates, make_certificates
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port
from tests.mqtt.backends import client_of, on_both
from tests.mqtt.test_lifetime import enter


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def talk(client: Client, large_bytes: int = 1_048_576) -> None:
    """Small and large messages, many at once, both ways."""
    async with client:
        await client.subscribe("talk/#", qos=1)
        large = bytes(range(256)) * (large_bytes // 256)
        await client.publish("talk/large", large, qos=1)
        assert (await anext(client.messages)).payload == large
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(client.publish, "talk/small", str(number), number % 3)
        assert {int((await anext(client.messages)).payload) for _ in range(200)} == set(range(200))


@on_both
async def test_tls_with_the_right_authority(make_mosquitto: MakeMosquitto, certificates: Certificates) -> None:
    """By parameters and by a context of one's own."""
    broker = make_mosquitto(config_lines=certificates.listener)
    await talk(client_of(broker, tls_params=TLSParameters(ca_certs=certificates.ca)))
    await talk(client_of(broker, tls_context=ssl.create_default_context(cafile=str(certificates.ca))))


@on_both
async def test_tls_that_is_not_trusted(
    make_mosquitto: MakeMosquitto, certificates: Certificates, tmp_path: Path
) -> None:
    """Another authority, a missing file, a file that is no certificate: each is told as what it is."""
    broker = make_mosquitto(config_lines=certificates.listener)
    stranger = tmp_path / "stranger"
    stranger.mkdir(exist_ok=True)
    other = make_certificates(stranger, name="a stranger")
    with pytest.raises(
        MqttError, match=r"no connection to 127.0.0.1:\d+: the broker's TLS certificate is not trusted: "
    ):
        await enter(client_of(broker, tls_params=TLSParameters(ca_certs=other.ca)))
    with pytest.raises(MqttError, match=r"No such file or directory: .*absent.pem"):
        await enter(client_of(broker, tls_params=TLSParameters(ca_certs=tmp_path / "absent.pem")))
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(MqttError, match="TLS failed: no certificate or crl found"):
        await enter(client_of(broker, tls_params=TLSParameters(ca_certs=tmp_path / "text.pem")))
    await talk(client_of(broker, tls_params=TLSParameters(cert_reqs=ssl.CERT_NONE)))


@on_both
async def test_a_host_by_another_name(make_mosquitto: MakeMosquitto, tmp_path: Path) -> None:
    """The certificate must name the host that was asked for, unless `tls_insecure` lets it pass."""
    folder = tmp_path / "other"
    folder.mkdir(exist_ok=True)
    certificates = make_certificates(folder, host="elsewhere.invalid", address="127.0.0.2")
    broker = make_mosquitto(config_lines=certificates.listener)
    for insecure in (False, True):
        client = Client(
            broker.host, broker.port, tls_params=TLSParameters(ca_certs=certificates.ca), tls_insecure=insecure
        )
        if insecure:
            await talk(client)
        else:
            with pytest.raises(MqttError, match=r"not trusted.*127\.0\.0\.1"):
                await enter(client)


@on_both
async def test_tls_and_no_tls_do_not_mix(
    make_mosquitto: MakeMosquitto, mosquitto: Mosquitto, certificates: Certificates
) -> None:
    """TLS to a plain listener, and the other way round, ends in an MqttError, not in a hang."""
    with pytest.raises(MqttError, match="no connection to"):
        await enter(client_of(mosquitto, tls_params=TLSParameters(), timeout=5))
    with pytest.raises(MqttError, match="connection"):
        await enter(client_of(make_mosquitto(config_lines=certificates.listener), timeout=5))


@on_both
async def test_a_broker_lost_over_tls(make_mosquitto: MakeMosquitto, certificates: Certificates) -> None:
    """The end of the stream without TLS's good-bye is a lost connection like any other."""
    broker = make_mosquitto(config_lines=certificates.listener)
    async with client_of(broker, tls_params=TLSParameters(ca_certs=certificates.ca)) as client:
        broker.kill()
        assert "lost" in str(await client.wait_disconnected())


def websockets_on(port: int) -> list[str]:
    """A second listener: mosquitto 2.0.11 does not start with websockets alone."""
    return [f"listener {port} 127.0.0.1", "protocol websockets"]


@on_both
async def test_websockets(make_mosquitto: MakeMosquitto) -> None:
    """paho's framing over our buffers: no packet is lost when the kernel takes a part of a frame."""
    port = free_port()
    broker = make_mosquitto(config_lines=websockets_on(port))
    # mosquitto 2.0.11 sends some 40 KiB a second over websockets, whoever listens
    await talk(Client(broker.host, port, transport="websockets"), large_bytes=16_384)
    async with Client(broker.host, port, transport="websockets", websocket_path="mqtt") as client:
        broker.kill()
        assert "lost" in str(await client.wait_disconnected())


@on_both
async def test_websockets_over_tls(make_mosquitto: MakeMosquitto, certificates: Certificates) -> None:
    """wss: the hand-shakes one after the other, then as ever."""
    port = free_port()
    broker = make_mosquitto(config_lines=[*websockets_on(port), *certificates.listener])
    tls = TLSParameters(ca_certs=certificates.ca)
    await talk(Client(broker.host, port, transport="websockets", tls_params=tls), large_bytes=16_384)


@on_both
async def test_websockets_where_none_are_spoken(mosquitto: Mosquitto) -> None:
    """A plain MQTT listener closes at an HTTP request; the error says so."""
    with pytest.raises(MqttError, match=r"no connection to .*WebSocket handshake error"):
        await enter(client_of(mosquitto, transport="websockets"))


@on_both
async def test_tls_may_want_the_other_direction(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """When TLS must write before it reads, or read before it writes, the pumps wait for each other and go on."""
    receive, flush = Transport.receive, Transport.flush
    wants: list[type[OSError]] = [ssl.SSLWantReadError, ssl.SSLWantWriteError]

    def receive_or_want(self: Transport) -> bytes:
        if ssl.SSLWantReadError not in wants and ssl.SSLWantWriteError in wants:
            wants.remove(ssl.SSLWantWriteError)
            raise ssl.SSLWantWriteError
        return receive(self)

    def flush_or_want(self: Transport) -> bool:
        if ssl.SSLWantReadError in wants and b"other" in self._output:
            wants.remove(ssl.SSLWantReadError)
            raise ssl.SSLWantReadError
        return flush(self)

    monkeypatch.setattr(Transport, "receive", receive_or_want)
    monkeypatch.setattr(Transport, "flush", flush_or_want)
    async with client_of(mosquitto) as client, client_of(mosquitto) as friend:
        await client.subscribe("direction/#", qos=1)
        client.publish_nowait("direction/other", "", 1)
        await anyio.wait_all_tasks_blocked()
        assert wants == [ssl.SSLWantWriteError]
        await friend.publish("direction/friend", "", 1)  # what arrives lets the write go on
        assert {(await anext(client.messages)).topic for _ in range(2)} == {"direction/friend", "direction/other"}
        assert wants == []


@on_both
async def test_the_transport_takes_all() -> None:
    """paho loses a packet that a socket took in part: ours takes all, and says when it is over its bound."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Transport(ours)
        assert transport.send(bytes(OUT_BOUND - 1)) == OUT_BOUND - 1
        assert transport.send(bytes(1_000_000)) == 1_000_000
        assert transport.full
        assert not transport.flush()
        got = 0
        while transport.unsent:
            got += len(theirs.recv(65_536))
            transport.flush()
        while got < OUT_BOUND - 1 + 1_000_000:
            got += len(theirs.recv(65_536))
        theirs.send(b"abc")
        await transport.readable()
        transport.serve(transport.receive())
        assert (transport.recv(2), transport.pending, transport.recv(9)) == (b"ab", 1, b"c")
        with pytest.raises(BlockingIOError):
            transport.recv(1)
        transport.shut()
        transport.shut()
        with pytest.raises(anyio.ClosedResourceError):
            await transport.readable()
