"""What is cut into many reads, by TLS records or by the kernel, comes out whole, both ways; websockets go their own way through paho."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from halloween_host.mqtt import Client, ProtocolVersion, TLSParameters
from tests.certificates import Certificates, make_certificates
from tests.conftest import MakeMosquitto
from tests.mosquitto import free_port
from tests.mqtt.backends import client_of, on_both

MIB = 1_048_576

both_paths = pytest.mark.parametrize("fast_path", [True, False])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


async def there_and_back(client: Client, sizes: list[int]) -> None:
    """Payloads of these sizes, at QoS 0 and 1 in turn, with a small message between them, come back in order and whole."""
    async with client:
        await client.subscribe("large/#", qos=1)
        sent: list[bytes] = []
        for number, size in enumerate(sizes):
            sent += [bytes([number]) * size, b"small"]
            await client.publish("large/one", sent[-2], qos=number % 2)
            client.publish_nowait("large/small", sent[-1], 1)
        assert [(await anext(client.messages)).payload == payload for payload in sent] == [True] * len(sent)


@both_paths
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "tcp"])
@on_both
async def test_twenty_mebibytes(
    make_mosquitto: MakeMosquitto, certificates: Certificates, tls: bool, fast_path: bool
) -> None:
    """Of one message; sizes around a TLS record's 16 KiB and our read's 64 KiB beside it."""
    broker = make_mosquitto(config_lines=certificates.listener if tls else [])
    options: dict[str, Any] = {"tls_params": TLSParameters(ca_certs=certificates.ca)} if tls else {}
    sizes = [MIB, MIB, 20 * MIB, 20 * MIB, *(edge + more for edge in (16_384, 65_536) for more in range(-8, 3))]
    await there_and_back(client_of(broker, fast_path=fast_path, protocol=ProtocolVersion.V5, **options), sizes)


@on_both
async def test_many_small_ones_over_tls(make_mosquitto: MakeMosquitto, certificates: Certificates) -> None:
    """5,000 messages of odd lengths, packed into TLS records as it comes, arrive in order."""
    broker = make_mosquitto(config_lines=certificates.listener)
    tls = TLSParameters(ca_certs=certificates.ca)
    payloads = [bytes(number * 7 % 300) + b"%d" % number for number in range(5_000)]
    async with client_of(broker, tls_params=tls, max_inflight_messages=500) as client:
        await client.subscribe("small", qos=1)

        async def publish() -> None:
            for payload in payloads:
                client.publish_nowait("small", payload, 1)
                await client.room()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(publish)
            heard = [(await anext(client.messages)).payload for _ in payloads]
    assert heard == payloads


@both_paths
@on_both
async def test_websockets_take_no_fast_path(make_mosquitto: MakeMosquitto, fast_path: bool) -> None:
    """Whatever was asked for, they work: their framing is paho's. mosquitto 2.0.11 sends them some 40 KiB a second."""
    port = free_port()
    broker = make_mosquitto(config_lines=[f"listener {port} 127.0.0.1", "protocol websockets"])
    client = Client(broker.host, port, transport="websockets", fast_path=fast_path)
    await there_and_back(client, [10_000, 100, 100, 0])
