"""From a command on the broker to its handler's telemetry on the broker: how many a second, and how long one takes."""

from __future__ import annotations

from typing import Any, Final

import attrs

from benchmarks.designs.serving import ASYNCIO, OURS, TASKS, THREAD, C, Served, Usage, serving
from benchmarks.harness import Bar, Bench, Child, Measure, Measurement, MeasurementError, Row, Variant
from tests.mosquitto import Mosquitto

__all__ = ["ROWS"]

#: Commands without an answer at a time: enough that nobody waits for a command, few enough for any mailbox.
WINDOW: Final = 500
WORKERS: Final = 8

OURS_NATIVE: Final = Variant(OURS, "ours, native workers")
OURS_ASYNCIO: Final = Variant(ASYNCIO, "ours, asyncio workers")
THE_THREAD: Final = Variant(THREAD, "the thread design")
GMQTT: Final = Variant(TASKS, "gmqtt + create_task")
LIMIT: Final = Variant(C, "an echo in C", quick=False)


def check(result: dict[str, Any]) -> None:
    """Raise when an answer is missing, or came more than once."""
    if result["lost"] or result.get("again"):
        raise MeasurementError(f"{result['lost']} lost, {result.get('again', 0)} came again")


async def answer_all(served: Served, commands: Child, count: int, broker: Mosquitto) -> Measurement:
    """Let the commands go; how fast all answers came, what that cost the host, and how busy the broker was."""
    await commands.expect("ready")
    before, broker_before = served.usage(), Usage.of(broker.pid)
    await commands.tell("")
    result = await commands.expect("result")
    cpu_s, broker_s = served.usage().cpu_s - before.cpu_s, Usage.of(broker.pid).cpu_s - broker_before.cpu_s
    check(result)
    rate, busy = count / result["seconds"], broker_s / result["seconds"]
    return Measurement({"rate": rate, "cpu_us": cpu_s / count * 1e6, "broker_percent": busy * 100})


def commands_of(action: str, qos: int) -> Measure:
    async def measure(bench: Bench, variant: Variant) -> Measurement:
        count = bench.count(20_000, variant.weight)
        async with bench.mosquitto() as broker, serving(bench, variant.name, broker, workers=WORKERS) as served:
            options = map(str, (broker.port, action, count, qos, WORKERS, WINDOW))
            async with bench.child(bench.c("commands"), *options) as commands:
                return await answer_all(served, commands, count, broker)

    return measure


ROWS: Final = (
    Row(
        "full-path-qos0",
        title="Full path, 8 workers, commands at QoS 0",
        section="full-path",
        variants=(THE_THREAD, GMQTT, OURS_NATIVE, OURS_ASYNCIO, LIMIT),
        bars=(
            Bar(OURS, THREAD, "rate", at_least=2.5),
            Bar(OURS, TASKS, "rate", at_least=1.0),
            Bar(ASYNCIO, THREAD, "rate", at_least=1.8),
        ),
        measure=commands_of("blink", 0),
        limit_s=40.0,
    ),
    Row(
        "full-path-qos1",
        title="Full path, 8 workers, commands at QoS 1",
        section="full-path",
        variants=(THE_THREAD, GMQTT, OURS_NATIVE, LIMIT),
        bars=(Bar(OURS, THREAD, "rate", at_least=2.5), Bar(OURS, TASKS, "rate", at_least=1.0)),
        measure=commands_of("blink", 1),
        limit_s=40.0,
    ),
    Row(
        "suspending",
        title="Full path, 8 workers, each handler suspends once",
        section="full-path",
        variants=(THE_THREAD, attrs.evolve(GMQTT, quick=False), OURS_NATIVE, attrs.evolve(OURS_ASYNCIO, quick=False)),
        bars=(Bar(OURS, THREAD, "rate", at_least=1.5),),
        measure=commands_of("pause", 0),
        limit_s=40.0,
    ),
)
