"""What decoding alone costs: our splitter, paho's parser, and mqtt5 (sans-IO, in Rust, MQTT 5 only) on the same bytes."""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.harness import Bench, Measurement, Row, Variant
from benchmarks.rows.receive import figures, program

COUNT: Final = 200_000
OURS: Final = Variant("ours", "our splitter")
MQTT5: Final = Variant("mqtt5")
PAHO: Final = Variant("paho", "paho's parser", weight=0.1)


async def decoded(bench: Bench, variant: Variant, *, qos: int, version: str) -> Measurement:
    """A stream in memory, in pieces of 64 KiB; at QoS 1 with the PUBACKs."""
    count = bench.count(COUNT, variant.weight)
    async with bench.module(*program("codec", variant, 0, count, qos, version)) as client:
        return figures(await client.expect("result"), count)


def _row(qos: int, version: str) -> Row:
    protocol = "MQTT 5" if version == "5" else "MQTT 3.1.1"
    return Row(
        f"codec-qos{qos}-v{version}",
        title=f"decode, QoS {qos}, {protocol}",
        section="codec",
        variants=(OURS, MQTT5, PAHO) if version == "5" else (OURS, PAHO),
        bars=(),  # the issue asks what we found, not for a ratio
        metrics=("cpu_us", "rate"),
        measure=partial(decoded, qos=qos, version=version),
        quick=False,
    )


ROWS: Final = tuple(_row(qos, version) for version in ("311", "5") for qos in (0, 1))
