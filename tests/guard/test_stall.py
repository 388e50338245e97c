"""A step is held to have stood as long as somebody was there to see it, not for as long as everybody stood still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.guard._stall import LATE_S, Stall


def test_looks_in_time_add_up() -> None:
    """From the begin of the step, which lies before the first look at it; a new step begins anew."""
    stall = Stall()
    stall.expect(100.25)
    assert stall.look(100.0, 100.26) == pytest.approx(0.26)
    stall.expect(100.50)
    assert stall.look(100.0, 100.51) == pytest.approx(0.51)
    stall.expect(100.75)
    assert stall.look(100.6, 100.75) == pytest.approx(0.15)


def test_a_late_look_asks_again() -> None:
    """What went by while nobody ran (SIGSTOP) counts for nothing; a step that still stands after it is seen to."""
    stall = Stall()
    stall.expect(100.25)
    assert stall.look(100.0, 103.0) == 0.0
    stall.expect(103.25)
    assert stall.look(100.0, 103.25) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 5.0)), min_size=1, max_size=30))
def test_no_more_than_what_was_waited_for(looks: list[tuple[float, float]]) -> None:
    """Each look adds what it waited, and its lateness when that is small."""
    stall, now, most = Stall(), 50.0, 0.0
    for wait_s, late_s in looks:
        stall.expect(now + wait_s)
        now += wait_s + late_s
        most += wait_s + LATE_S if late_s < 1.01 * LATE_S else 0.0
        assert stall.look(50.0, now) <= most + 1e-6
