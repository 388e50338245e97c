"""Rows of a small run, made up."""

from __future__ import annotations

from collections.abc import Sequence

from faults.harness import Fault, Finding, Limit, Scene
from faults.harness._results import RowResult, Run

RUN = Run("just faults", "2026-11-30T20:00:00+00:00", {"CPU": "a CPU", "load before": "0.1"}, {"Python": "3.11.7"})


def timed(seen: Sequence[float], *, at_most: float = 50) -> Finding:
    return Finding("`offline` seen", tuple(seen), "ms", (Limit("p50", at_most), Limit("p99", 250)))


def counted(seen: Sequence[float]) -> Finding:
    return Finding("run again", tuple(seen), "commands", (Limit("sum", 0),))


def row(name: str, *findings: Finding, run: Run = RUN, error: str | None = None) -> RowResult:
    return RowResult(name, f"{name} breaks", 3, 1.5, run, list(findings), error)


async def nothing(scene: Scene) -> list[Finding]:
    raise AssertionError("these tests do no fault")


def fault(name: str) -> Fault:
    return Fault(name, f"{name} breaks", times=100, quick_times=3, measure=nothing)
