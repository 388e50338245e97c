"""How fast a worker's values leave, when it sends as fast as it may and lets others have their turn every hundred."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from benchmarks.designs.serving import OURS, THREAD, C, Served, serving
from benchmarks.harness import Bar, Bench, Measurement, Row, Variant
from benchmarks.rows.full_path import GMQTT, OURS_ASYNCIO, OURS_NATIVE, answer_all
from tests.mosquitto import Mosquitto

__all__ = ["ROWS"]


#: The worker's own turns are of a hundred values.
BATCHED: Final = "c-batched"
_BATCHES: Final = {C: "1", BATCHED: "100"}


@asynccontextmanager
async def _sender(bench: Bench, design: str, broker: Mosquitto) -> AsyncIterator[Served]:
    if design not in _BATCHES:
        async with serving(bench, design, broker, workers=1) as served:
            yield served
        return
    async with bench.child(bench.c("stream"), str(broker.port), _BATCHES[design]) as child:
        await child.expect("ready")
        yield Served(child, None, 0.0)


async def _measure(bench: Bench, variant: Variant) -> Measurement:
    count = bench.count(50_000)
    async with bench.mosquitto() as broker, _sender(bench, variant.name, broker) as served:
        options = map(str, (broker.port, "stream", count, 0, 1, 1))
        async with bench.child(bench.c("commands"), *options) as commands:
            return await answer_all(served, commands, count, broker)


ROWS: Final = (
    Row(
        "telemetry",
        title="Telemetry out of one worker at QoS 0",
        section="telemetry",
        variants=(
            Variant(THREAD, "paho's thread"),
            attrs.evolve(GMQTT, title="gmqtt", quick=False),
            OURS_NATIVE,
            attrs.evolve(OURS_ASYNCIO, quick=False),
            Variant(C, "C, a write for each"),
            Variant(BATCHED, "C, a write for a hundred", quick=False),
        ),
        bars=(Bar(OURS, THREAD, "rate", at_least=2.5), Bar(OURS, C, "rate", at_least=0.9)),
        measure=_measure,
        metrics=("rate", "cpu_us", "broker_percent"),
        limit_s=40.0,
    ),
)
