"""A trouble that goes on is said once a minute, however often it is met."""

from __future__ import annotations

from halloween_host.repeats import KEPT, REPEAT_S, Repeats


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_is_said_at_once_and_then_once_a_minute() -> None:
    """With how many were not said in between; what is about something else is not kept back by it."""
    clock = Clock()
    repeats = Repeats(clock)
    assert repeats.line("fogger", "refused") == "refused"
    assert [repeats.line("fogger", "refused again") for _ in range(1_500)] == [None] * 1_500
    assert repeats.line("coffin", "refused") == "refused"
    clock.now = REPEAT_S
    assert repeats.line("fogger", "refused still") == "refused still (and 1,500 more like it)"
    clock.now = 2 * REPEAT_S
    assert repeats.line("fogger", "refused") == "refused"


def test_ever_new_things_do_not_pile_up() -> None:
    """The memory starts anew: the first is said again."""
    repeats = Repeats(Clock())
    for number in range(KEPT + 1):
        assert repeats.line(number, "text") == "text"
    assert repeats.line(0, "text") == "text"
