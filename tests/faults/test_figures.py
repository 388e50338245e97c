"""A percentile is a value that was seen, a limit holds at its bound, and what saw nothing keeps no promise."""

from __future__ import annotations

import math

import pytest

from faults.harness import Finding, Limit
from faults.harness._figures import figure, kept, percentile, promised, shown
from tests.faults.findings import counted, timed


@pytest.mark.parametrize(
    ("count", "p50", "p99"), [(1, 1, 1), (2, 1, 2), (100, 50, 99), (101, 51, 100), (1_000, 500, 990)]
)
def test_percentiles_are_nearest_ranks(count: int, p50: int, p99: int) -> None:
    seen = [float(each) for each in range(count, 0, -1)]
    assert (percentile(seen, 50), percentile(seen, 99)) == (p50, p99)


def test_a_limit_holds_at_its_bound() -> None:
    assert kept(timed([50.0]))
    assert not kept(timed([50.1]))
    assert not kept(timed([1.0] * 98 + [251.0] * 2))
    assert kept(timed([1.0] * 99 + [10_000.0]))
    assert not kept(Finding("x", [1.0] * 99 + [2.0], "s", (Limit("max", 1.5),)))


def test_what_is_counted_is_held_against_its_sum() -> None:
    assert kept(counted([0.0] * 1_000))
    assert not kept(counted([0.0] * 999 + [1.0]))


@pytest.mark.parametrize("seen", [[], [math.nan], [0.0, math.nan], [math.inf]])
def test_nothing_seen_keeps_no_promise(seen: list[float]) -> None:
    """Nor does what is no number, nor what never ended."""
    assert not kept(timed(seen))
    assert not kept(counted(seen))


def test_nothing_seen_has_no_figure() -> None:
    assert figure(timed([]), "max") is None
    assert shown(None, "ms") == "–"


def test_a_promise_is_said_with_its_limits() -> None:
    assert promised(timed([1.0])) == "`offline` seen: p50 ≤ 50 ms, p99 ≤ 250 ms"
    assert promised(counted([])) == "run again: 0 commands"
    assert (shown(1234.56, "ms"), shown(1.5, "s"), shown(3.0, "lines")) == ("1,234.6 ms", "1.500 s", "3")
