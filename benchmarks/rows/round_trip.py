"""How long one command takes to be answered, alone and while another worker is flooded."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Final

import attrs

from benchmarks.designs.serving import OURS, THREAD, serving
from benchmarks.harness import Bar, Bench, Measure, Measurement, Row, Variant
from benchmarks.rows.full_path import GMQTT, LIMIT, OURS_ASYNCIO, OURS_NATIVE, THE_THREAD, WORKERS, check
from tests.mosquitto import Mosquitto

__all__ = ["ROWS", "round_trips"]

#: Between an answer and the next command, so that everyone has fallen asleep.
GAP_US: Final = 1_000
FLOOD_PER_S: Final = 3_000
QUIET: Final = 1
_COMMAND: Final = '{"action": "blink", "args": %n}'


async def round_trips(bench: Bench, broker: Mosquitto, count: int, worker: int) -> dict[str, float]:
    """Commands to one worker, one after another."""
    topics = (f"halloween/w{worker}/cmd", _COMMAND, f"halloween/w{worker}/telemetry/blink")
    async with bench.child(bench.c("rtt"), str(broker.port), str(count), *topics, "0", str(GAP_US)) as child:
        result: dict[str, Any] = await child.expect("result")
    check(result)
    return {name: result[name] for name in ("p50_us", "p99_us")}


def round_trips_while(flood_per_s: int) -> Measure:
    async def measure(bench: Bench, variant: Variant) -> Measurement:
        count = bench.count(2_000)
        async with (
            bench.mosquitto() as broker,
            serving(bench, variant.name, broker, workers=WORKERS),
            AsyncExitStack() as stack,
        ):
            if flood_per_s:
                enough = flood_per_s * 20
                flood = map(str, (broker.port, enough, 0, "halloween/w0/cmd", _COMMAND, 1, flood_per_s))
                await stack.enter_async_context(bench.child(bench.c("blast"), *flood))
            return Measurement(await round_trips(bench, broker, count, QUIET))

    return measure


ROWS: Final = (
    Row(
        "round-trip",
        title="Round trip of a command, one at a time",
        section="round-trip",
        variants=(
            THE_THREAD,
            attrs.evolve(GMQTT, quick=False),
            OURS_NATIVE,
            attrs.evolve(OURS_ASYNCIO, quick=False),
            LIMIT,
        ),
        bars=(Bar(OURS, THREAD, "p50_us", at_most=0.8), Bar(OURS, THREAD, "p99_us", at_most=1.2)),
        measure=round_trips_while(flood_per_s=0),
        metrics=("p50_us", "p99_us"),
        limit_s=40.0,
    ),
    Row(
        "round-trip-flooded",
        title=f"Round trip while another worker gets {FLOOD_PER_S:,} commands a second",
        section="round-trip",
        variants=(
            THE_THREAD,
            attrs.evolve(GMQTT, quick=False),
            OURS_NATIVE,
            attrs.evolve(OURS_ASYNCIO, quick=False),
            LIMIT,
        ),
        bars=(Bar(OURS, THREAD, "p50_us", at_most=0.5), Bar(OURS, THREAD, "p99_us", at_most=0.5)),
        measure=round_trips_while(FLOOD_PER_S),
        metrics=("p50_us", "p99_us"),
        limit_s=40.0,
    ),
)
