"""A night is the same each time its seed is played, holds what it should, and says so when something does not."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, pairwise

import pytest

from faults.rows import night
from tests.stories.crew import Diary, Me


def test_a_seed_is_a_night() -> None:
    """Six hours, every kind of act in some of ten nights, and no two nights alike."""
    nights = [night.story_of(seed) for seed in range(10)]
    assert nights == [night.story_of(seed) for seed in range(10)]
    assert all(first != second for first, second in pairwise(nights))
    names = Counter(act.name for acts in nights for act in acts)
    assert len(names) == 20, names
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
