"""A night is the same each time its seed is played, holds what it should, and says so when something does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol

import pytest

from faults.rows import night
from faults.rows._night_audience import SHORT_S
from faults.rows._night_house import CREW, HOUSE, open_house
from faults.rows._night_watchdog import blocked_in
from halloween_host.blocks import Blocks
from halloween_host.keeper import Keeper
from halloween_host.store import Cooldowns
from halloween_host.store._database import Database
from halloween_host.store._shelf import Place
from halloween_host.testing._stage_journal import StageJournal
from halloween_host.worker import Run
from tests.stories.crew import Diary, Me
from tests.stories.playing import play
from tests.stories.theatre import Act


def test_a_seed_is_a_night() -> None:
    """Six hours, every kind of act in some of ten nights, and no two nights alike."""
    nights = [night.story_of(seed) for seed in range(10)]
    assert nights == [night.story_of(seed) for seed in range(10)]
    assert all(first != second for first, second in pairwise(nights))
    names = Counter(act.name for acts in nights for act in acts)
    assert len(names) == 22, names
    for acts in nights:
        *_, end = accumulate(act.args[0] for act in acts if act.name == "wait")
        assert night.NIGHT_S - 300 < end <= night.NIGHT_S


def test_its_first_minutes_are_well_and_the_same_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night, "NIGHT_S", 900.0)
    first, second = night.play_night(1, 10_000), night.play_night(1, 10_000)
    assert first.lies == []
    assert first.events > 500
    assert (first.end, first.events) == (second.end, second.events)


def test_a_broken_promise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose task has its turn too late, say."""
    monkeypatch.setattr(night, "NIGHT_S", 300.0)
    note = Diary.note

    def late(diary: Diary, me: Me, what: str, text: str = "") -> None:
        note(diary, me, what, text)
        if what == "scare":
            note(diary, me, "late", "1 s")

    monkeypatch.setattr(Diary, "note", late)
    assert "too late" in night.play_night(1).lies[0]


def acts(*told: tuple[float, str, tuple[object, ...]]) -> list[Act]:
    """Each so many seconds after the one before."""
    return [act for wait_s, name, args in told for act in (Act("wait", (wait_s,)), Act(name, args))]


def scare(prop_id: str) -> tuple[object, ...]:
    return prop_id, "scare", True, None, 0.0, False


def bang(prop_id: str) -> tuple[object, ...]:
    return prop_id, "bang", True, None, 0.0, False


BLOCK: Final = acts((50, "block", ("prop03", 5.0, tuple((0.0, each, "scare", 0.5) for each in CREW[4:20]), 1.0)))
KILL: Final = acts((60, "send", scare("prop03")), (0.25, "kill_host", (1.0,)))
#: From start to end: a deed that is on the disk, one that never gets there, a host that is killed, a disk that is well.
DISK: Final = acts(
    (60, "send", scare("prop03")),
    (1, "send", bang("prop05")),
    (5, "disk", ("full",)),
    (1, "send", scare("prop04")),
    (60, "disk", (None,)),
    (40, "kill_host", (1.0,)),
    (5, "send", bang("prop05")),
)


def told(story: list[Act]) -> tuple[list[str], str]:
    with open_house():
        played = play(story, house=HOUSE)
    return played.lies, played.transcript


@pytest.mark.parametrize("prop_id", ["prop03", "prop04"])
@pytest.mark.parametrize("seconds", [0.4, 5.0, 20.0])
def test_who_blocks_is_named_and_all_are_back(prop_id: str, seconds: float) -> None:
    """In both dialects. Timers that fell due meanwhile come at its end, and what grew too old is refused."""
    guests = ((0.0, "prop05", "scare", 0.1), (0.1, "prop06", "scare", 0.2), (0.3, "prop07", "scare", None))
    lies, transcript = told(acts((118, "block", (prop_id, seconds, guests, 1.0))))  # they beat at 120
    assert lies == []
    named = f"{prop_id}/status/error blocks the host and all other workers {blocked_in(prop_id)}"
    assert (named in transcript) is (seconds > 0.25)
    assert f"blocked the event loop for {seconds:.1f} s {blocked_in(prop_id)}" in transcript or seconds <= 0.25
    assert f"it is {seconds - 0.1:.1f} s old and was worth 0.2 s" in transcript
    assert "prop07/telemetry/scared" in transcript
    assert transcript.count("keep-alive timeout") == (
        0 if seconds <= SHORT_S else 35
    )  # the host's, and two thirds of the props'


def test_a_loop_that_stays_blocked_ends_the_host() -> None:
    """With status 70 after `WATCHDOG_EXIT`; every prop is offline by then, and back after the restart."""
    lies, transcript = told(acts((50, "block", ("prop03", 60.0, (), 3.0))))
    assert lies == []
    assert "80.000  the watchdog ends the host: status 70" in transcript
    assert transcript.count("halloween-stage: connect") == 2


def test_a_disk_that_takes_nothing_is_told_and_recovered_from() -> None:
    """Full and read-only. What was stored before is there after SIGKILL, and so is the cool-down."""
    for trouble in ("full", "read-only"):
        story = [Act("disk", (trouble,)) if act.args == ("full",) else act for act in DISK]
        lies, transcript = told(story)
        assert lies == []
        assert transcript.count("what workers store is kept in memory") == 2  # the log and the topic
        assert "STATE_DIR/halloween.db is well again" in transcript
        assert "it cools down; accepted again in" in transcript


class Broken(Protocol):
    """Breaks something of the product's."""

    def __call__(self, monkeypatch: pytest.MonkeyPatch, /) -> None: ...


def _without(owner: Any, name: str) -> Broken:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, lambda *args: None)


def _half(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Database.write

    def half(database: Database, changes: Mapping[Place, str | None]) -> None:
        write(database, {place: text for place, text in changes.items() if place[2] != "twin"})

    monkeypatch.setattr(Database, "write", half)


@pytest.mark.parametrize(
    ("broken", "story", "lie"),
    [
        (_without(Blocks, "accuse"), BLOCK, "blocks the event loop, and its health says None"),
        (_without(Blocks, "ended"), BLOCK, "blocked the event loop, and its health says None"),
        (_without(Run, "comes_too_late"), BLOCK, "(scare) ran 4.499 s after its ttl"),
        (_without(Keeper, "degraded"), DISK, "prop04 stored on a disk that takes nothing"),
        (_without(Keeper, "failed"), DISK, "the disk took nothing, and the host said not a word of it"),
        (_without(StageJournal, "_turn"), KILL, "prop03 remembers 0 deeds, and stored 1 to 1"),
        (_without(Cooldowns, "begin"), DISK, "prop05 banged"),
        (_half, DISK, "half of what it stored at once"),
    ],
)
def test_a_night_finds_what_is_broken(
    broken: Broken, story: list[Act], lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    lies, _ = told(story)
    assert any(lie in each for each in lies), lies
