"""Back-off: jitter between nothing and a doubling cap; a spent budget is one try a minute until an instance lived long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.backoff import RETRY_S, RestartBudget, full_jitter


@given(st.integers(-5, 100_000), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_cap(attempt: int, drawn: float) -> None:
    """Whatever the attempt, the delay is between 0 and the cap."""
    assert 0 <= full_jitter(attempt, random=lambda: drawn) <= 30


@pytest.mark.parametrize(("attempt", "longest_s"), [(0, 0.5), (1, 1), (2, 2), (5, 16), (6, 30), (7, 30), (10_000, 30)])
def test_jitter_doubles_up_to_the_cap(attempt: int, longest_s: float) -> None:
    """0.5 s doubling to 30 s."""
    assert full_jitter(attempt, random=lambda: 1.0) == longest_s


def test_jitter_with_another_cap() -> None:
    """The broker's cap is its own."""
    assert full_jitter(20, base_s=1, cap_s=10, random=lambda: 0.25) == 2.5


def test_five_crashes_in_a_minute_are_within_the_budget() -> None:
    """The sixth is not."""
    budget = RestartBudget()
    assert [budget.spend(now) for now in range(6)] == [True] * 5 + [False]


def test_crashes_leave_the_window() -> None:
    """A crash every 12 seconds or more seldom never spends the budget."""
    budget = RestartBudget()
    assert all(budget.spend(12.0 * crash) for crash in range(50))


def test_a_spent_budget_is_one_try_a_minute() -> None:
    """An instance that crashes at once after its minute does not get a new budget."""
    budget = RestartBudget(limit=2, random=lambda: 1.0)
    now, delays = 0.0, []
    for crash in range(6):
        delays.append(budget.delay(crash, now))
        now += delays[-1] + 0.1
    assert delays == [0.5, 1.0, RETRY_S, RETRY_S, RETRY_S, RETRY_S]


def test_an_instance_that_lived_long_earns_a_new_budget() -> None:
    """Longer than the window after the wait: then quick restarts are allowed again."""
    budget = RestartBudget(limit=1, random=lambda: 1.0)
    assert [budget.delay(0, 0.0), budget.delay(0, 1.0)] == [0.5, RETRY_S]
    assert budget.delay(0, 1.0 + RETRY_S + 59.0) == RETRY_S
    assert budget.delay(0, 1.0 + 2 * RETRY_S + 59.0 + 61.0) == 0.5


@given(st.lists(st.floats(0, 1_000), max_size=60))
def test_never_more_quick_restarts_than_the_budget(pauses: list[float]) -> None:
    """In no window of a minute are there more than five crashes that are restarted by back-off."""
    budget, now, quick = RestartBudget(), 0.0, []
    for pause in pauses:
        now += pause
        if budget.spend(now):
            quick.append(now)
    assert all(later - earlier >= 60 for earlier, later in zip(quick, quick[5:], strict=False))
