"""A broker is asked for a sign of life at shared moments, and given up when it has none within half a keep-alive."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.mqtt import next_moment
from halloween_host.mqtt._keep_alive import KeepAlive

PERIODS = st.integers(1, 65_535)
MOMENTS = st.floats(0, 1e6)


@given(PERIODS, MOMENTS)
def test_a_moment_is_shared_and_to_come(period_s: int, now: float) -> None:
    """At a whole multiple of the period on the clock, after now and by no more than a period."""
    moment = next_moment(period_s, now)
    assert moment % period_s == 0
    assert now < moment <= now + period_s


def test_two_hundred_presences_wake_the_loop_once() -> None:
    opened = [1_000 + number * 0.0025 for number in range(200)]
    assert len({KeepAlive(10, at).wake_at for at in opened}) == 1


@given(PERIODS, MOMENTS, st.lists(st.booleans(), max_size=20))
def test_the_broker_hears_from_us_in_each_period(period_s: int, now: float, busy: list[bool]) -> None:
    """MQTT 5, section 3.1.2.10: whatever else is said, and though each answer comes as late as it may."""
    alive = KeepAlive(period_s, now)
    sent = now
    for heard in busy:
        assert alive.look(alive.wake_at), "nothing is asked for, so a PINGREQ is due"
        asked = alive._ping_at - period_s
        assert asked - sent <= period_s
        sent = asked
        if heard:
            alive.heard()
            assert not alive.look(alive.wake_at), "the answer may stand behind what came"
            alive.heard()
        alive.answered()


@given(PERIODS, MOMENTS)
def test_silence_is_found_out_within_one_and_a_half_periods(period_s: int, now: float) -> None:
    alive = KeepAlive(period_s, now)
    assert not alive.look(now)
    assert alive.look(alive.wake_at)
    assert alive.wake_at <= now + 1.5 * period_s
    assert not alive.look(math.nextafter(alive.wake_at, 0))
    with pytest.raises(TimeoutError, match="no answer"):
        alive.look(alive.wake_at)


def test_a_broker_that_talks_but_does_not_answer_is_given_up_once_it_falls_silent() -> None:
    """A PINGRESP may come late behind a large message, which arrives piece by piece."""
    alive = KeepAlive(10, 3)
    assert alive.look(10)
    alive.heard()
    assert not alive.look(15)
    assert alive.wake_at == 20
    with pytest.raises(TimeoutError):
        alive.look(20)


def test_without_a_keep_alive_nothing_is_due() -> None:
    assert KeepAlive(0, 5).wake_at == math.inf
