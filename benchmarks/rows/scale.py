"""What ten, a hundred, a thousand and five thousand workers cost, and what a connection of each worker's own does."""

from __future__ import annotations

import resource
from typing import Final

import trio

from benchmarks.designs.serving import ASYNCIO, OURS, serving
from benchmarks.harness import Bar, Bench, Measure, Measurement, Row, Variant
from benchmarks.rows.rest import resting
from benchmarks.rows.round_trip import round_trips

__all__ = ["ROWS"]

#: What a worker costs is the difference to a host with so many.
FEW: Final = 10
#: Seconds after which a host's memory stays as it is.
SETTLE_S: Final = 0.5
PRESENT: Final = 100


def allow_all_files() -> None:
    """Children inherit it: a few thousand asyncio workers need more files than most shells allow."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def rss_kib_of_few(bench: Bench, design: str) -> float:
    """What a host with `FEW` workers holds in memory."""
    async with bench.mosquitto() as broker, serving(bench, design, broker, workers=FEW) as few:
        await trio.sleep(SETTLE_S)
        return few.child.rss_kib()


def of_size(design: str) -> Measure:
    few_kib: list[float] = []  # measured once a run: it is the same each time

    async def measure(bench: Bench, variant: Variant) -> Measurement:
        size = int(variant.name)
        allow_all_files()
        if not few_kib:
            few_kib.append(await rss_kib_of_few(bench, design))
        async with bench.mosquitto() as broker, serving(bench, design, broker, workers=size) as served:
            await trio.sleep(SETTLE_S)
            values = {"online_s": served.online_s, "rss_mib": served.child.rss_kib() / 1024}
            if size > FEW:
                values["rss_kib_per_worker"] = (served.child.rss_kib() - few_kib[0]) / (size - FEW)
            values |= await round_trips(bench, broker, bench.count(1_000), size - 1)
            values["offline_s"] = await served.stop()
            return Measurement(values)

    return measure


async def _presence(bench: Bench, variant: Variant) -> Measurement:
    presence_max = {"none": 0, "all": PRESENT}[variant.name]
    async with (
        bench.mosquitto() as broker,
        serving(bench, OURS, broker, workers=PRESENT, presence_max=presence_max) as served,
    ):
        await trio.sleep(2)  # the last of them connect after their props are online
        values = {"online_s": served.online_s, "rss_mib": served.child.rss_kib() / 1024}
        values |= await resting(served, 10)
        values["offline_s"] = await served.stop()
        return Measurement(values)


_SIZES: Final = tuple(
    Variant(str(size), f"{size:,} workers", quick=quick)
    for size, quick in ((10, True), (100, False), (1_000, True), (5_000, False))
)
_METRICS: Final = ("online_s", "offline_s", "rss_kib_per_worker", "rss_mib", "p50_us", "p99_us")

ROWS: Final = (
    Row(
        "scale-native",
        title="Native workers, no presence connections",
        section="scale",
        variants=_SIZES,
        bars=(
            Bar("1000", None, "online_s", at_most=1.2),
            Bar("1000", None, "rss_kib_per_worker", at_most=20.0),
            Bar("1000", "10", "p50_us", at_most=1.3),
            Bar("1000", None, "offline_s", at_most=0.6),
        ),
        measure=of_size(OURS),
        metrics=_METRICS,
    ),
    Row(
        "scale-asyncio",
        title="Asyncio workers, no presence connections",
        section="scale",
        variants=_SIZES,
        bars=(
            Bar("1000", None, "rss_kib_per_worker", at_most=45.0),
            Bar("1000", "10", "p50_us", at_most=1.3),
            Bar("1000", None, "offline_s", at_most=0.6),
        ),
        measure=of_size(ASYNCIO),
        metrics=_METRICS,
        quick=False,
    ),
    Row(
        "presence",
        title=f"{PRESENT} native workers, each with a connection and a will of its own or none",
        section="scale",
        variants=(Variant("none", "no presence connections"), Variant("all", "one for each worker")),
        bars=(),
        measure=_presence,
        metrics=("online_s", "offline_s", "rss_mib", "cpu_ms_per_s", "wakeups_per_s"),
        quick=False,
    ),
)
