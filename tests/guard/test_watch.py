"""The event loop is watched for some seconds after a panic: it turns, or it is blocked, and a stopped clock is neither."""

from __future__ import annotations

import attrs
import pytest

from halloween_host.commands import Command
from halloween_host.guard._watch import BEAT_EVERY_S, WATCH_S, Watch
from halloween_host.guard._words import REPEAT_S, SAY_AFTER_S, Trouble

PANIC = Command("panic")


@attrs.define
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_turns_is_watched_to_the_end() -> None:
    """A beat at once, one after another, none twice; over after the last."""
    clock = Clock()
    watch = Watch(PANIC, 2.0, clock)
    beats = 0
    while (said := watch.look()) != "over":
        assert said == "beat"
        beats += 1
        assert watch.look() == "wait"
        assert watch.due_s() == pytest.approx(2.0)
        clock.now += 0.01
        watch.beaten()
        assert watch.look() == "wait"
        assert watch.due_s() == pytest.approx(BEAT_EVERY_S)
        clock.now += BEAT_EVERY_S + 0.001
    assert clock.now - 1000.0 >= WATCH_S
    assert beats > 40


def test_a_beat_that_stays_away_means_blocked() -> None:
    """At its limit, not before; at the first beat as at any later one."""
    for turns in (0, 5):
        clock = Clock()
        watch = Watch(PANIC, 2.0, clock)
        for _ in range(turns):
            assert watch.look() == "beat"
            watch.beaten()
            clock.now += BEAT_EVERY_S + 0.001
        assert watch.look() == "beat"
        clock.now += 1.99
        assert watch.look() == "wait"
        clock.now += 0.02
        assert watch.look() == "blocked"


def test_a_watcher_that_stood_still_too_asks_again() -> None:
    """After SIGSTOP all clocks are late: the loop gets its whole time once more, and no more than that."""
    clock = Clock()
    watch = Watch(PANIC, 2.0, clock)
    assert watch.look() == "beat"
    clock.now += 100.0
    assert watch.look() == "wait"
    assert watch.due_s() == 2.0
    clock.now += 2.0
    assert watch.look() == "blocked"


def test_another_panic_is_watched_as_long() -> None:
    """And it is the one to be answered."""
    clock = Clock()
    watch = Watch(PANIC, 2.0, clock)
    clock.now += WATCH_S - 0.1
    another = Command("panic", id="second")
    watch.extend(another)
    clock.now += 0.2
    assert watch.look() == "beat"
    assert watch.panic is another


def test_trouble_is_said_when_it_lasts_and_once_a_minute() -> None:
    """A broker that restarts is no trouble; what changes its text within the minute is not said again either."""
    clock = Clock()
    said: list[tuple[float, str, str]] = []
    trouble = Trouble(lambda level, text: said.append((clock.now - 1000.0, level, text)), clock=clock)
    trouble.tell("refused")
    clock.now += SAY_AFTER_S - 0.1
    trouble.tell("refused")
    trouble.over("back")
    assert said == []
    clock.now = 1000.0
    for second in range(130):
        clock.now = 1000.0 + second
        trouble.tell(f"refused {second % 2}")
    trouble.over("back")
    trouble.over("back")
    assert said == [
        (SAY_AFTER_S, "warning", "refused 1"),
        (SAY_AFTER_S + REPEAT_S, "warning", "refused 1"),
        (SAY_AFTER_S + 2 * REPEAT_S, "warning", "refused 1"),
        (129.0, "info", "back"),
    ]


def test_trouble_that_is_somebody_elses_too_is_his_to_say() -> None:
    """And who stays in it alone has as long as ever before it is said."""
    clock = Clock()
    said: list[tuple[float, str]] = []
    elsewhere = True
    trouble = Trouble(
        lambda level, text: said.append((clock.now - 1000.0, text)), elsewhere=lambda: elsewhere, clock=clock
    )
    for second in range(100):
        clock.now = 1000.0 + second
        elsewhere = second < 60
        trouble.tell("refused")
    assert said == [(60.0 + SAY_AFTER_S, "refused")]
