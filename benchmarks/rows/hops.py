"""What each hop of a command costs on its way through the host, many at a time."""

from __future__ import annotations

from typing import Final

from benchmarks.designs.serving import HOPS, serving
from benchmarks.harness import Bench, Measurement, Row, Variant
from benchmarks.rows.full_path import WINDOW, WORKERS, answer_all

__all__ = ["ROWS"]

_VARIANTS: Final = (
    Variant("receive", "receive: one system call for what is there"),
    Variant("split", "splitter: from bytes to messages"),
    Variant("dispatch", "router and dispatcher: topic, JSON, handler started"),
    Variant("handler", "handler: the author's code, telemetry into the outbox"),
    Variant("encode", "bridge: from the outbox to frames"),
    Variant("send", "send: one system call for all of them"),
    Variant("rest", "all else: the loop's turns, waiting, other threads"),
)


async def hop(bench: Bench, variant: Variant) -> Measurement:
    """One hop's share of a run; what is left of the process's CPU is the rest."""
    count = bench.count(20_000)
    async with bench.mosquitto() as broker, serving(bench, HOPS, broker, workers=WORKERS) as served:
        options = map(str, (broker.port, "blink", count, 0, WORKERS, WINDOW))
        async with bench.child(bench.c("commands"), *options) as commands:
            whole_us = (await answer_all(served, commands, count, broker)).values["cpu_us"]
        await served.stop()
        spent_us = {name: seconds / count * 1e6 for name, seconds in (await served.child.expect("hops")).items()}
    spent_us["rest"] = max(whole_us - sum(spent_us.values()), 0.0)
    return Measurement({"cpu_us": spent_us[variant.name]})


ROWS: Final = (
    Row(
        "hops",
        title="Where a command's time goes, 8 native workers, QoS 0",
        section="hops",
        variants=_VARIANTS,
        bars=(),
        metrics=("cpu_us",),
        measure=hop,
        quick=False,
        limit_s=40.0,
    ),
)
