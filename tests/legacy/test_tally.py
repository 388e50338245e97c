"""A loop finds all its tasks at the end without a look at those of a thousand others."""

from __future__ import annotations

import asyncio
import gc

import pytest
import trio

from halloween_host.legacy._loop import GuestLoop, open_loop


async def sleep_long() -> None:
    await asyncio.sleep(3600)


async def test_the_tasks_of_other_loops_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks asyncio, which keeps one list for all loops; each loop ends with its own tasks cancelled."""
    gc.collect()  # what other tests made past their loops
    monkeypatch.setattr(asyncio, "all_tasks", None)
    with trio.fail_after(10):
        async with open_loop() as first, open_loop() as second:
            mine, other = first.begin(sleep_long()), second.begin(sleep_long())
            await first.run(asyncio.sleep(0))
            assert first.unfinished() == [mine]
            assert await first.shut(4) == []
            assert (mine.cancelled(), other.done()) == (True, False)
        assert other.cancelled()


async def test_a_task_made_past_the_loop_is_found_too() -> None:
    """`asyncio.Task(…)` by hand asks no loop; it is cancelled at the end like any other."""
    made: list[asyncio.Task[None]] = []

    async def author(loop: GuestLoop) -> None:
        made.append(asyncio.Task(sleep_long(), loop=loop))
        await asyncio.sleep(0)

    with trio.fail_after(10):
        async with open_loop() as loop:
            await loop.run(author(loop))
            assert loop.unfinished() == made
        assert made[0].cancelled()
