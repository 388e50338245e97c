"""Who serves the outbox hears of every ring: at once where somebody answers after each step, else by being woken."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from halloween_host.doorbell import Doorbell
from halloween_host.steps import StepWatch


async def test_a_ring_wakes_who_waits() -> None:
    """From Trio's thread and from another; a ring before the wait is not lost."""
    bell = Doorbell()
    rung = bell.event
    bell.ring()
    assert rung.is_set()
    rung = bell.event
    await trio.to_thread.run_sync(bell.ring)
    with trio.fail_after(10):
        await rung.wait()
    assert not bell.event.is_set()


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("more", [False, True])
async def test_stepwise_it_is_done_at_once(raises: bool, more: bool) -> None:
    """Nobody is woken, unless more is to be done than can be at once, or doing it failed: then who is woken has the error."""
    bell = Doorbell()
    bell.stepwise = True
    calls = 0

    def at_once() -> None:
        nonlocal calls
        calls += 1
        bell.due = more
        if raises:
            raise RuntimeError("a bug")

    watch = StepWatch(lambda prop_id, seconds: None, bell)
    trio.lowlevel.add_instrument(watch)
    try:
        rung = bell.event
        bell.at_once = at_once
        for _ in range(3):
            bell.ring()
        assert (calls, rung.is_set()) == (0, False)
        await trio.lowlevel.checkpoint()
        assert (calls, rung.is_set(), bell.due) == (1, more or raises, False)
        assert (str(bell.failure) == "a bug") is raises
        rung = bell.event
        bell.at_once = None  # whoever served does something else now
        bell.ring()
        assert rung.is_set()
    finally:
        trio.lowlevel.remove_instrument(watch)
