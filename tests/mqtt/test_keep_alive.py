"""Signs of life of many connections are due at the same moments, so that they share a wake-up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halloween_host.mqtt._keep_alive import SHARED_FROM_S, SHARED_S, shared_due_s


@given(st.floats(0, 60), st.floats(0, 1e6))
def test_a_sign_of_life_is_due_at_a_shared_moment_and_never_early(due_s: float, now: float) -> None:
    """At a whole multiple of half a second on the clock; late by less than that, which a broker's half keep-alive bears."""
    shared_s = shared_due_s(due_s, now)
    assert abs((now + shared_s) / SHARED_S - round((now + shared_s) / SHARED_S)) < 1e-6
    assert -1e-6 <= shared_s - due_s < SHARED_S + 1e-6
    assert SHARED_FROM_S / 2 > SHARED_S


def test_two_hundred_presences_wake_the_loop_a_few_times() -> None:
    """Connections made within half a second of each other have their next signs of life in two moments at most."""
    opened = [1_000 + number * 0.0025 for number in range(200)]
    assert len({round(at + shared_due_s(10.0, at), 6) for at in opened}) <= 2
