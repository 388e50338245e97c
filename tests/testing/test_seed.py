"""One seed gives one order of events, another seed another; and all is put back."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import trio
from trio.testing import MockClock

from halloween_host.testing._seed import EPOCH, seeded, stage_wall
from halloween_host.testing._time import rehearsal, virtual_time


def _story(seed: int | None) -> list[object]:
    """What a run of many equal tasks, dice and ids comes to; without a seed when it is None."""
    story: list[object] = []

    async def play(name: int) -> None:
        for _ in range(5):
            story.append((name, trio.current_time()))
            await trio.sleep(random.choice((0, 1, 2)))
        story.append(uuid.uuid4())

    async def main() -> None:
        async with virtual_time(say=pytest.fail), trio.open_nursery() as nursery:
            for name in range(20):
                nursery.start_soon(play, name)

    if seed is None:
        trio.run(main, clock=MockClock())
    else:
        with seeded(seed):
            trio.run(main, clock=MockClock())
    return story


def test_one_seed_one_story() -> None:
    """Scheduler, dice and ids come out the same for the same seed, and different for another."""
    assert _story(7) == _story(7)
    assert _story(7) != _story(8)


def test_the_scheduler_alone_goes_by_the_seed() -> None:
    """Tasks without any dice run in an order that the seed decides: Trio's private names do what they did."""

    def order(seed: int) -> list[int]:
        steps: list[int] = []

        async def step(number: int) -> None:
            for _ in range(3):
                steps.append(number)
                await trio.lowlevel.checkpoint()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(step, number)

        with seeded(seed):
            trio.run(main)
        return steps

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5


def test_all_is_put_back() -> None:
    """What `random`, `uuid` and Trio would have done without the rehearsal they do after it."""
    from trio._core import _run as trio_run

    before = random.getstate(), uuid.uuid4, trio_run._r.getstate(), trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    with seeded(3):
        assert len({random.getstate(), before[0]}) == 2
        random.random()
    assert before == (
        random.getstate(),
        uuid.uuid4,
        trio_run._r.getstate(),
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING,
    )


def test_ids_are_ids() -> None:
    """`uuid.uuid4` gives what it always gives, version and variant, and never the same twice."""
    with seeded(0):
        ids = [uuid.uuid4() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {(id_.version, id_.variant) for id_ in ids} == {(4, uuid.RFC_4122)}


@rehearsal
async def test_it_is_halloween() -> None:
    """The wall clock begins on 31 October 2026 at 18:00 UTC and goes as virtual time goes, in threads too."""
    async with virtual_time(say=pytest.fail):
        await trio.sleep(5)
        wall = stage_wall()
        assert datetime.fromtimestamp(wall(), UTC) == datetime(2026, 10, 31, 18, tzinfo=UTC)
        await trio.sleep(1.5)
        assert wall() == EPOCH + 1.5
        assert await trio.to_thread.run_sync(_in_a_thread, wall) == EPOCH + 1.5


def _in_a_thread(wall: Callable[[], float]) -> float:
    assert threading.current_thread() is not threading.main_thread()
    return wall()
