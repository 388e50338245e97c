"""How fast messages go out when each is waited for: `Client.publish` at QoS 1 from 100 tasks, on mosquitto."""

from __future__ import annotations

from typing import Final

from benchmarks.harness import Bar, Bench, Measurement, Row, Variant
from benchmarks.rows.receive import figures, program

COUNT: Final = 30_000


async def acknowledged(bench: Bench, variant: Variant) -> Measurement:
    """Until the last publish is acknowledged, MQTT 3.1.1."""
    count = bench.count(COUNT, variant.weight)
    async with (
        bench.mosquitto() as broker,
        bench.module(*program("publish", variant, broker.port, count, 1, "311")) as client,
    ):
        return figures(await client.expect("result"), count)


ROWS: Final = (
    Row(
        "publish-qos1",
        title="`Client.publish` at QoS 1 from 100 tasks",
        section="publish",
        variants=(
            Variant("ours", weight=2),
            Variant("paho", "paho's thread"),
            Variant("gmqtt", weight=2),
            Variant("ours-asyncio", "ours, under asyncio", weight=2, quick=False),
        ),
        bars=(Bar("ours", "paho", "rate", at_least=1.5),),
        measure=acknowledged,
    ),
)
