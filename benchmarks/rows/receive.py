"""How fast messages come in: from a stub in C that is never the limit, and from a mosquitto that a program in C feeds."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from benchmarks.harness import Bar, Bench, Child, Measurement, MeasurementError, Row, Variant
from tests.certificates import make_certificates
from tests.mosquitto import free_port

TOPIC: Final = "halloween/w%w/cmd"
PAYLOAD: Final = '{"action":"blink","arg":%n}'
WORKERS: Final = 8
COUNT: Final = 100_000

OURS: Final = Variant("ours", weight=2)
PAHO: Final = Variant("paho", "paho's thread", weight=0.5)
GMQTT: Final = Variant("gmqtt")
OTHERS: Final = (
    Variant("ours-asyncio", "ours, under asyncio", weight=2, quick=False),
    Variant("aiomqtt", weight=0.25, quick=False),
    Variant("zmqtt", weight=0.2, quick=False),
    Variant("faststream", "FastStream", weight=0.1, quick=False),
)
READER: Final = Variant("reader", "a reader in C")


def figures(result: Mapping[str, Any], count: int) -> Measurement:
    """A client's or the reader's result, which must be of all `count` messages."""
    if result["messages"] != count:
        raise MeasurementError(f"{result['messages']} messages of {count}")
    return Measurement({"rate": count / result["seconds"], "cpu_us": result["cpu_s"] / count * 1e6})


async def from_stub(bench: Bench, variant: Variant, *, qos: int, version: str) -> Measurement:
    """All of them in a stream that never pauses; at QoS 1 every one must have been acknowledged."""
    count = bench.count(COUNT, variant.weight, quick=1 / 10)
    async with bench.child(bench.c("stub"), str(count), str(qos), TOPIC, PAYLOAD, str(WORKERS)) as stub:
        port = await stub.expect("port")
        async with bench.module(*program("receive", variant, port, count, qos, version)) as client:
            measured = figures(await client.expect("result"), count)
            await client.wait()
        counted = await stub.expect("result")
    if counted["sent"] != count or (qos and counted["acked"] != count):
        raise MeasurementError(f"of {count} messages {counted['sent']} were sent and {counted['acked']} acknowledged")
    return measured


async def through_mosquitto(bench: Bench, variant: Variant, *, qos: int, tls: bool) -> Measurement:
    """A client that is subscribed before the first message, MQTT 3.1.1; the load itself comes without TLS."""
    count = bench.count(COUNT, variant.weight, quick=1 / 10)
    with tempfile.TemporaryDirectory(prefix="halloween-bench-") as folder:
        lines, plain, ca = [], 0, "-"
        if tls:
            certificates = await trio.to_thread.run_sync(make_certificates, Path(folder))
            plain, ca = free_port(), str(certificates.ca)
            lines = [*certificates.listener, f"listener {plain} 127.0.0.1"]
        async with bench.mosquitto(*lines) as broker:
            if variant is READER:
                reading = bench.child(bench.c("reader"), str(broker.port), str(count), "halloween/#", str(qos))
            else:
                reading = bench.module(*program("receive", variant, broker.port, count, qos, "311", ca))
            async with reading as client:
                await client.expect("ready")
                async with blast(bench, plain or broker.port, count, qos) as load:
                    measured = figures(await client.expect("result"), count)
                    await load.wait()
    return measured


def blast(bench: Bench, port: int, count: int, qos: int) -> AbstractAsyncContextManager[Child]:
    """The load of these rows: commands to 8 props."""
    return bench.child(bench.c("blast"), str(port), str(count), str(qos), TOPIC, PAYLOAD, str(WORKERS))


def program(task: str, variant: Variant, port: int, count: int, qos: int, version: str, ca: str = "-") -> list[str]:
    """The module that does `task` the variant's way, with its arguments; `ours-asyncio` is ours on another event loop."""
    name, _, backend = variant.name.partition("-")
    return [f"benchmarks.clients.{task}_{name}", str(port), str(count), str(qos), version, ca, *backend.split()]


def _stub_row(qos: int, version: str) -> Row:
    protocol = "MQTT 5" if version == "5" else "MQTT 3.1.1"
    return Row(
        f"receive-qos{qos}-v{version}",
        title=f"QoS {qos}, {protocol}",
        section="receive",
        variants=(OURS, PAHO, GMQTT, *OTHERS),
        bars=(
            Bar("ours", "paho", "rate", at_least=10.0 if qos else 5.0),
            Bar("ours", "gmqtt", "rate", at_least=1.5),
        ),
        measure=partial(from_stub, qos=qos, version=version),
        quick=version == "311" or qos == 1,
    )


def _mosquitto_row(qos: int) -> Row:
    return Row(
        f"receive-mosquitto-qos{qos}",
        title=f"on mosquitto, QoS {qos}",
        section="receive-mosquitto",
        variants=(OURS, READER, PAHO, GMQTT),
        bars=(Bar("ours", "reader", "rate", at_least=0.9),),
        measure=partial(through_mosquitto, qos=qos, tls=False),
    )


ROWS: Final = (
    *(_stub_row(qos, version) for version in ("311", "5") for qos in (0, 1)),
    *(_mosquitto_row(qos) for qos in (0, 1)),
    Row(
        "receive-tls",
        title="on mosquitto over TLS, QoS 0",
        section="receive-mosquitto",
        variants=(OURS, PAHO, GMQTT),
        bars=(Bar("ours", "paho", "rate", at_least=2.0),),
        measure=partial(through_mosquitto, qos=0, tls=True),
    ),
)
