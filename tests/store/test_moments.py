"""What is left of a cool-down is never less than the clocks can vouch for, and never more than the whole of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from halloween_host.store import Moment, Stores, remaining_s

NIGHT = 1_793_469_600.0  # 31 October 2026, 18:00 UTC
HOUR = 3600.0

moments = st.builds(
    Moment,
    wall=st.floats(-1e12, 1e12),
    ticks=st.floats(0, 1e9),
    boot=st.sampled_from(["", "first", "second"]),
)


@given(moments, moments, st.floats(0.001, 1e6))
@example(Moment(NIGHT, 1, "first"), Moment(0, 1, "second"), 15)
def test_it_blocks_nobody_for_ever(began: Moment, now: Moment, length_s: float) -> None:
    """Whatever the clocks say: from nothing to the whole of it."""
    assert 0 <= remaining_s(began, now, length_s) <= length_s


@given(st.floats(0, 100), st.floats(-1e9, 1e9))
def test_within_one_boot_the_wall_clock_may_jump_as_it_likes(gone_s: float, jump_s: float) -> None:
    """NTP sets the clock in the middle of it, from 1970 or by an hour: the ticks tell."""
    left = remaining_s(Moment(NIGHT, 50, "first"), Moment(NIGHT + jump_s, 50 + gone_s, "first"), 60)
    assert left == pytest.approx(max(0, 60 - gone_s))


@pytest.mark.parametrize(
    ("began", "now", "left"),
    [
        pytest.param(NIGHT, NIGHT + 10, 50, id="both clocks are right"),
        pytest.param(NIGHT, NIGHT + 61, 0, id="it is over"),
        pytest.param(NIGHT, 12.0, 60, id="this boot began in 1970"),
        pytest.param(12.0, NIGHT, 60, id="that boot began in 1970: 56 years say nothing"),
        pytest.param(12.0, 100.0, 60, id="both began in 1970"),
        pytest.param(NIGHT, NIGHT - HOUR, 60, id="set back by an hour"),
        pytest.param(NIGHT, NIGHT, 60, id="no time has passed"),
    ],
)
@pytest.mark.parametrize("boots", [("first", "second"), ("", "")])
def test_over_a_boot_the_wall_clock_counts_when_it_can_be_right(
    began: float, now: float, left: float, boots: tuple[str, str]
) -> None:
    """Where it cannot, all of it is left: too long by seconds, never early."""
    assert remaining_s(Moment(began, 5, boots[0]), Moment(now, 9, boots[1]), 60) == left


def test_ticks_that_run_backwards_are_another_boots() -> None:
    """A machine that was copied while it ran keeps the boot's name and not its ticks."""
    assert remaining_s(Moment(NIGHT, 500, "first"), Moment(NIGHT + 10, 3, "first"), 60) == 50


@pytest.mark.parametrize("text", ["7", "[]", "{}", "null", '{"wall": "x", "ticks": 1, "boot": ""}'])
def test_a_row_that_somebody_edited_counts_as_one_that_began_now(text: str) -> None:
    """It did begin at some time; the whole of it is waited for once."""
    cooldowns: Any = Stores(boot=lambda: "here").cooldowns("fogger")
    assert cooldowns.remaining_s("fire", 15) == 0
    cooldowns._shelf.put({"fire": text})
    assert cooldowns.remaining_s("fire", 15) == 15


def test_the_length_is_todays() -> None:
    """A new version of the worker may cool down for longer, or shorter."""
    ticks = 100.0
    cooldowns = Stores(wall=lambda: NIGHT, ticks=lambda: ticks, boot=lambda: "here").cooldowns("fogger")
    cooldowns.begin("fire")
    ticks = 105.0
    assert [cooldowns.remaining_s("fire", length_s) for length_s in (3, 15, math.pi * 10)] == [
        0,
        10,
        pytest.approx(26.416, abs=0.001),
    ]
    assert cooldowns.remaining_s("dim", 15) == 0


def test_what_is_forgotten_is_over() -> None:
    """Whether or not one had begun."""
    cooldowns = Stores(wall=lambda: NIGHT, ticks=lambda: 100.0, boot=lambda: "here").cooldowns("fogger")
    cooldowns.forget("fire")
    cooldowns.begin("fire")
    assert cooldowns.remaining_s("fire", 15) == 15
    cooldowns.forget("fire")
    assert cooldowns.remaining_s("fire", 15) == 0
