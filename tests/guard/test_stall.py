"""A step is held to have stood as long as somebody was there to see it, not for as long as everybody stood still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.guard._cpu import Spent
from halloween_host.guard._stall import LATE_S, Stall


def test_looks_in_time_add_up() -> None:
    """From the begin of the step, which lies before the first look at it; a new step begins anew."""
    stall = Stall()
    stall.expect(100.25, Spent())
    assert stall.look(100.0, 100.26, Spent(), Spent()) == pytest.approx(0.26)
    stall.expect(100.50, Spent())
    assert stall.look(100.0, 100.51, Spent(), Spent()) == pytest.approx(0.51)
    stall.expect(100.75, Spent())
    assert stall.look(100.6, 100.75, Spent(), Spent()) == pytest.approx(0.15)


def test_a_late_look_asks_again() -> None:
    """What went by while nobody ran (SIGSTOP) counts for nothing; a step that still stands after it is seen to."""
    stall = Stall()
    stall.expect(100.25, Spent())
    assert stall.look(100.0, 103.0, Spent(), Spent()) == 0.0
    stall.expect(103.25, Spent())
    assert stall.look(100.0, 103.25, Spent(), Spent()) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 5.0)), min_size=1, max_size=30))
def test_no_more_than_what_was_waited_for(looks: list[tuple[float, float]]) -> None:
    """Each look adds what it waited, and its lateness when that is small."""
    stall, now, most = Stall(), 50.0, 0.0
    for wait_s, late_s in looks:
        stall.expect(now + wait_s, Spent())
        now += wait_s + late_s
        most += wait_s + LATE_S if late_s < 1.01 * LATE_S else 0.0
        assert stall.look(50.0, now, Spent(), Spent()) <= most + 1e-6


def test_a_wait_for_a_cpu_is_no_stall() -> None:
    """What the step waited is taken off, whether it became known at once or at a later look; what it ran is not."""
    stall = Stall()
    stall.begin(Spent(ran_s=7.0, waited_s=3.0))
    stall.expect(100.25, Spent())
    assert stall.look(100.0, 100.25, Spent(7.05, 3.2), Spent()) == pytest.approx(0.05)
    stall.expect(100.45, Spent())
    assert stall.look(100.0, 100.45, Spent(7.05, 3.2), Spent()) == pytest.approx(0.25)
    stall.expect(100.5, Spent())
    assert stall.look(100.0, 100.5, Spent(7.15, 3.35), Spent()) == pytest.approx(0.15)
    assert stall.lasted_s == pytest.approx(0.5)
    assert stall.ran_s == pytest.approx(0.15)
    assert stall.at_end(100.0, 100.65, Spent(7.2, 3.45), Spent()) == pytest.approx(0.2)


def test_what_was_waited_before_a_step_is_not_its_own() -> None:
    """Of a step that begins between two looks it is not known: it is taken off once, up to the first look at it."""
    stall = Stall()
    stall.begin(Spent())
    stall.expect(100.25, Spent())
    stall.look(100.0, 100.25, Spent(0.1, 0.1), Spent())
    stall.expect(100.5, Spent())
    assert stall.look(100.4, 100.5, Spent(0.1, 0.3), Spent()) == 0.0
    stall.expect(100.7, Spent())
    assert stall.look(100.4, 100.7, Spent(0.3, 0.3), Spent()) == pytest.approx(0.2)
    stall.begin(Spent(0.3, 0.9))
    stall.expect(200.25, Spent())
    assert stall.at_end(200.0, 200.3, Spent(0.4, 1.0), Spent()) == pytest.approx(0.2)


def test_a_late_look_takes_off_nothing() -> None:
    """What went by counts for nothing, and what was waited in it neither."""
    stall = Stall()
    stall.expect(100.25, Spent())
    assert stall.look(100.0, 103.0, Spent(0.0, 2.5), Spent()) == 0.0
    stall.expect(103.25, Spent())
    assert stall.look(100.0, 103.25, Spent(0.25, 2.5), Spent()) == pytest.approx(0.25)


def test_a_look_that_was_late_for_the_gil() -> None:
    """Who asks for it all the time does not stand still: what went by is the step's. A few turns are those of any look."""
    for turns, stood_s in ((3, 0.0), (400, 2.0)):
        stall = Stall()
        stall.expect(100.25, Spent(turns=7))
        assert stall.at_end(100.0, 102.0, Spent(), Spent(turns=7 + turns)) == stood_s
        assert stall.look(100.0, 102.0, Spent(), Spent(turns=7 + turns)) == stood_s
