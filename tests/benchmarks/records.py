"""A small run's results, made up: two variants in three rounds, a bar that is reached and one that is missed."""

from __future__ import annotations

from benchmarks.harness import Bar, Bench, Measurement, Row, Variant
from benchmarks.harness._results import Record, RowResult


async def never(bench: Bench, variant: Variant) -> Measurement:
    raise AssertionError("these tests measure nothing")


ROW = Row(
    "receive-x",
    title="QoS 0 <x>",
    section="receive",
    variants=(Variant("paho", "paho's thread"), Variant("ours"), Variant("slow", quick=False)),
    bars=(Bar("ours", "paho", "rate", at_least=5.0), Bar("ours", "paho", "cpu_us", at_most=0.1)),
    metrics=("rate", "cpu_us", "rss_mib"),
    measure=never,
)


def record() -> Record:
    result = RowResult.of(ROW, quick=True)
    paho, ours = result.variants
    for rate in (30_000, 20_000, 50_000):
        paho.add(Measurement({"rate": rate, "cpu_us": 30.0, "rss_mib": 20.0}))
    for rate in (300_000, 150_000, 160_000):
        ours.add(Measurement({"rate": rate, "cpu_us": 4.5}))
    machine, versions = {"CPU": "a CPU", "cores": "2"}, {"Python": "3.11.7", "trio": "0.31"}
    return Record("just bench --quick", "2026-11-24", 3, True, machine, versions, [result])
