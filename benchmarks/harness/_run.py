"""Variants take turns within a row, another one first each round, so that a slow minute of the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from benchmarks.harness._bench import Bench
from benchmarks.harness._results import RowResult
from benchmarks.harness._rows import Measurement, MeasurementError, Row, Variant

#: A variant that failed so often in a row is left alone: a broken peer does not hold up the others.
GIVE_UP_AFTER: Final = 2


@attrs.frozen
class Step:
    """One measurement of a run."""

    row: Row
    variant: Variant
    round: int


def plan(rows: Sequence[Row], *, rounds: int, quick: bool) -> list[Step]:
    """Every measurement in its order: row by row, round by round, A B C, then B C A, then C A B."""
    steps = []
    for row in rows:
        variants = [each for each in row.variants if each.quick or not quick]
        for number in range(rounds):
            first = number % len(variants)
            steps += [Step(row, each, number) for each in variants[first:] + variants[:first]]
    return steps


class Clock:
    """How long a run has taken, and how long it will still take, judged by what was measured so far."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._began = time.monotonic()
        self._left = list(steps)
        self._took: dict[tuple[str, str], float] = {}

    def done(self, step: Step, seconds: float) -> None:
        self._left.remove(step)
        self._took[step.row.name, step.variant.name] = seconds

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def remaining_s(self) -> float | None:
        """A step that was measured before takes as long again, any other as long as the mean; None before the first."""
        if not self._took:
            return None
        mean = sum(self._took.values()) / len(self._took)
        return sum(self._took.get((step.row.name, step.variant.name), mean) for step in self._left)


async def run(
    rows: Sequence[Row], bench: Bench, *, rounds: int, progress: Callable[[Step, Clock], None]
) -> list[RowResult]:
    """Measure all of it; a measurement that fails is an error in its row, and the run goes on."""
    steps = plan(rows, rounds=rounds, quick=bench.quick)
    results = {row.name: RowResult.of(row, quick=bench.quick) for row in rows}
    clock = Clock(steps)
    for step in steps:
        progress(step, clock)
        began = time.monotonic()
        result = results[step.row.name].variant(step.variant.name)
        assert result is not None
        if len(result.errors) < GIVE_UP_AFTER:
            try:
                result.add(await _measured(step, bench))
            except MeasurementError as error:
                result.errors.append(f"round {step.round + 1}: {error}")
        clock.done(step, time.monotonic() - began)
    return list(results.values())


async def _measured(step: Step, bench: Bench) -> Measurement:
    try:
        with trio.fail_after(step.row.limit_s):
            return await step.row.measure(bench, step.variant)
    except trio.TooSlowError:
        raise MeasurementError(f"not done in {step.row.limit_s:g} s") from None
    except BaseExceptionGroup as group:
        errors, others = group.split(MeasurementError)
        if others is not None or errors is None:
            raise
        raise first_of(errors) from None


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first leaf of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
