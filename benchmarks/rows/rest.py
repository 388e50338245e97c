"""What a host costs while nothing happens, and how long it takes to be there."""

from __future__ import annotations

from typing import Final

import attrs
import trio

from benchmarks.designs.serving import OURS, THREAD, Served, now, serving
from benchmarks.harness import Bar, Bench, Measurement, MeasurementError, Row, Variant
from benchmarks.rows.full_path import OURS_ASYNCIO, OURS_NATIVE, THE_THREAD

__all__ = ["ROWS", "resting"]

WORKERS: Final = 10
#: Seconds in which what a start leaves behind is done: Trio's idle threads end after ten.
SETTLE_S: Final = 12
IMPORT_TRIO: Final = "import trio"


async def resting(served: Served, seconds: float) -> dict[str, float]:
    """What a host uses in these seconds, in which nobody asks it for anything."""
    before, began = served.usage(), now()
    await trio.sleep(seconds)
    after, lasted_s = served.usage(), now() - began
    return {
        "cpu_ms_per_s": (after.cpu_s - before.cpu_s) * 1000 / lasted_s,
        "wakeups_per_s": after.sleeps_since(before) / lasted_s,
    }


async def _idle(bench: Bench, variant: Variant) -> Measurement:
    async with bench.mosquitto() as broker, serving(bench, variant.name, broker, workers=WORKERS) as served:
        await trio.sleep(1 if bench.quick else SETTLE_S)
        seconds = 2 if bench.quick else 20  # two pings of ten seconds each
        return Measurement({**await resting(served, seconds), "rss_mib": served.child.rss_kib() / 1024})


async def _start(bench: Bench, variant: Variant) -> Measurement:
    if variant.name == IMPORT_TRIO:
        began = now()
        async with bench.child(bench.python, "-c", variant.name) as child:
            if status := await child.wait():
                raise MeasurementError(f"status {status}: {child.errors()}")
            return Measurement({"seconds": now() - began})
    async with bench.mosquitto() as broker, serving(bench, variant.name, broker, workers=1) as served:
        return Measurement({"seconds": served.online_s})


ROWS: Final = (
    Row(
        "idle",
        title="Ten workers with nothing to do",
        section="idle",
        variants=(THE_THREAD, OURS_NATIVE, attrs.evolve(OURS_ASYNCIO, quick=False)),
        bars=(
            Bar(OURS, THREAD, "cpu_ms_per_s", at_most=1.0),
            Bar(OURS, THREAD, "wakeups_per_s", at_most=1.0),
            Bar(OURS, THREAD, "rss_mib", at_most=1.7),
        ),
        measure=_idle,
        metrics=("cpu_ms_per_s", "wakeups_per_s", "rss_mib"),
        limit_s=60.0,
    ),
    Row(
        "start",
        title="From the process's start to the first `online`, one worker",
        section="start",
        variants=(Variant(IMPORT_TRIO, f'python -c "{IMPORT_TRIO}"'), THE_THREAD, OURS_NATIVE),
        bars=(),
        measure=_start,
        metrics=("seconds",),
        limit_s=40.0,
    ),
)
