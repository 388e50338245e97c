"""A cancellation comes after the very step it is meant for, and what breaks a promise then is found."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from faults.rows._show_operations import ACTS, PROPS, cancel_acts, cancel_deeds, cancel_own_stop
from faults.rows._verdicts import Verdicts
from halloween_host.hooks import HostHooks
from halloween_host.link import Link

#: Of each operation, every so-many-th step is cancelled here; `just faults` cancels each.
STRIDE = 25


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], Path]:
    numbers = itertools.count()

    def new() -> Path:
        made = tmp_path / str(next(numbers))
        made.mkdir()
        return made

    return new


def sums(verdicts: Verdicts) -> list[float]:
    """Leaked, held, half."""
    return [sum(each.seen) for each in verdicts.findings()]


def test_nothing_is_left_held_or_half_done(folder: Callable[[], Path]) -> None:
    verdicts = Verdicts()
    for prop_id in PROPS:
        for cancel in (cancel_deeds, cancel_own_stop):
            trio.run(cancel, prop_id, folder, verdicts, STRIDE, clock=MockClock())
    for act in ACTS:
        trio.run(cancel_acts, act, folder, verdicts, STRIDE, clock=MockClock())
    verdicts.say()
    assert len(verdicts) > 50
    assert sums(verdicts) == [0, 0, 0]


def test_a_question_that_is_kept_is_found(folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostHooks, "forget", lambda hooks, question: None)
    verdicts = Verdicts()
    trio.run(cancel_deeds, "coffin", folder, verdicts, STRIDE, clock=MockClock())
    assert sums(verdicts)[1] > 0


def test_a_prop_that_seems_to_live_on_is_found(folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Link, "_last_word", lambda link, client: nullcontext())
    verdicts = Verdicts()
    commands = next(each for each in ACTS if each.name == "commands")
    trio.run(cancel_acts, commands, folder, verdicts, STRIDE, clock=MockClock())
    assert sums(verdicts)[2] > 0


def test_a_task_that_lives_on_is_found(folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    forget = HostHooks.forget

    def keep_a_task(hooks: HostHooks, question: object) -> None:
        forget(hooks, question)  # type: ignore[arg-type] # as it is called
        trio.lowlevel.spawn_system_task(trio.sleep, 100)

    monkeypatch.setattr(HostHooks, "forget", keep_a_task)
    verdicts = Verdicts()
    trio.run(cancel_deeds, "coffin", folder, verdicts, STRIDE, clock=MockClock())
    assert sums(verdicts)[0] > 0
