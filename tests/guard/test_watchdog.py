"""The watchdog names who blocks the loop while he does, as often as he does, nobody else, and ends a loop that never comes back."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from halloween_host.guard import BLOCKED, EVERYBODY, Reach, Watchdog
from halloween_host.steps import StepWatch

NAME_S = 0.1


class House:
    """What a watchdog speaks by, and of whom; all that was said, in order."""

    def __init__(self) -> None:
        self.connected = True
        self.lines: list[str] = []
        self.published: list[tuple[str, bytes, bool]] = []
        self.acquitted: list[tuple[str, int]] = []
        self.ended: list[tuple[str | None, float, bool]] = []
        self.left: list[int] = []
        self.due = False
        self.watchdog: Watchdog

    def say(self, level: str, text: str, worker: str | None = None) -> None:
        self.lines.append(f"{level} {worker} {text}")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, wait_s: float = 0.0) -> None:
        self.published.append((topic, payload, retain))

    def accuse(self, prop_id: str, reason: str) -> bytes | None:
        return f"health of {prop_id}: {reason}".encode()

    def acquit(self, prop_id: str) -> None:
        self.acquitted.append((prop_id, threading.get_ident()))

    def published_so_many(self, count: int) -> bool:
        return len(self.published) == count

    def acquitted_so_many(self, count: int) -> bool:
        return len(self.acquitted) == count

    def answer(self) -> None:
        pass

    def blocked(self, prop_id: str | None, seconds: float) -> None:
        self.ended.append((prop_id, seconds, self.watchdog.named() is not None))

    @asynccontextmanager
    async def watched(self, exit_s: float = math.inf, reach: Reach = EVERYBODY) -> AsyncIterator[StepWatch]:
        steps = StepWatch(self.blocked, self, NAME_S)
        self.watchdog = Watchdog(steps, self, self, leave=self.left.append, name_s=NAME_S, exit_s=exit_s, reach=reach)
        trio.lowlevel.add_instrument(steps)
        try:
            with self.watchdog:
                yield steps
        finally:
            trio.lowlevel.remove_instrument(steps)
        assert "watchdog" not in [each.name for each in threading.enumerate()]


WORKER = """
def do_fire():
    end = time.monotonic() + 20
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
"""


def block(until: Callable[[], object]) -> None:
    """Keep the loop until it is so."""
    names: dict[str, Any] = {"__name__": "props.fogger.backend.worker", "until": until, "time": time}
    exec(compile(WORKER, "props/fogger/backend/worker.py", "exec"), names)
    names["do_fire"]()


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)


async def until(true: Callable[[], object]) -> None:
    with trio.fail_after(20):
        while not true():  # noqa: ASYNC110 (threads have no event for Trio to wait on)
            await trio.sleep(0.005)


async def test_who_blocks_is_named_meanwhile() -> None:
    """In the log, on his topic and in his health, once; when it is over his health is said anew, in Trio's thread."""
    house = House()
    async with house.watched():
        for count in (1, 2):
            await trio.sleep(0.05)
            block(partial(house.published_so_many, 2 * count))
            assert len(house.lines) == count, "named only after the block"
            await trio.lowlevel.checkpoint()
            await until(partial(house.acquitted_so_many, count))
    line, health = house.published[:2]
    assert house.lines[0].startswith("error fogger blocks the host and all other workers in do_fire() (props/fogger/")
    assert line == ("halloween/fogger/status/error", house.lines[0].removeprefix("error fogger ").encode(), False)
    assert health[0] == "halloween/fogger/status/health"
    assert health[1].startswith(b"health of fogger: blocks the event loop in do_fire()")
    assert health[2], "not retained"
    assert house.acquitted == [("fogger", threading.get_ident())] * 2
    assert [named for _, _, named in house.ended] == [True, True]
    assert house.left == []


async def test_a_connection_that_comes_late_is_told_late() -> None:
    """The log has it at once; without a connection it has it alone."""
    house = House()
    house.connected = False

    def connect_when_named() -> bool:
        house.connected = bool(house.lines)
        return bool(house.published)

    async with house.watched():
        await trio.sleep(0.05)
        block(connect_when_named)
    assert len(house.lines) == 1
    assert [topic for topic, _, _ in house.published] == [
        "halloween/fogger/status/error",
        "halloween/fogger/status/health",
    ]


async def test_a_loop_that_idles_or_works_is_let_be() -> None:
    """A rest is no block, nor are a thousand short steps; while it rests nobody looks."""
    house = House()
    async with house.watched():
        await trio.sleep(5 * NAME_S)
        end = time.monotonic() + 4 * NAME_S
        while time.monotonic() < end:
            await trio.lowlevel.checkpoint()
        for _ in range(4):
            await trio.sleep(1.5 * NAME_S)
    assert house.lines == []
    assert house.ended == []


async def test_a_rest_puts_it_to_sleep_and_a_step_wakes_it() -> None:
    """Each look but the first in a rest would be a wake-up for nothing."""
    house, looks, slept = House(), [], []
    async with house.watched() as steps:
        look = house.watchdog._look
        house.watchdog._look = lambda: (look(), looks.append(steps.asleep))  # type: ignore[method-assign, assignment, func-returns-value]
        for _ in range(3):
            before = len(looks)
            await trio.sleep(20 * NAME_S)
            slept.append(looks[before:])
    assert all(each[-1] for each in slept), slept
    assert max(len(each) for each in slept) <= 3, slept


async def test_who_blocks_after_a_long_rest_is_named() -> None:
    """A loop that has nothing to do for long says so itself, and wakes the watchdog again."""
    house = House()
    async with house.watched() as steps:
        look = house.watchdog._look
        house.watchdog._look = lambda: None  # type: ignore[method-assign] # so it is not the thread that sees it rest
        await trio.to_thread.run_sync(wait_until, lambda: steps.asleep)
        house.watchdog._look = look  # type: ignore[method-assign]
        block(partial(house.published_so_many, 2))
        assert len(house.lines) == 1


async def test_a_loop_that_never_comes_back_is_left() -> None:
    """With a last word to his topic."""
    house = House()
    async with house.watched(exit_s=1.0):
        block(lambda: house.left)
    assert house.left[0] == BLOCKED
    assert any(b"status 70" in payload for _, payload, _ in house.published)


async def test_the_host_itself() -> None:
    """What is no worker's is not laid at a worker's door."""
    house = House()
    async with house.watched():
        end = time.monotonic() + 20
        while not house.published and time.monotonic() < end:
            time.sleep(0.01)  # noqa: ASYNC251 the loop is blocked
        await trio.lowlevel.checkpoint()
    assert house.lines[0].startswith("error None the host itself blocks all workers in task ")
    assert [topic for topic, _, _ in house.published] == ["halloween/worker_host/status/error"]
    assert house.acquitted == []


async def test_a_process_of_ones_own() -> None:
    """Who is alone in it blocks nobody else; code that is no worker's is told on that worker's topic."""
    house = House()
    async with house.watched(reach=Reach(alone="fogger")):
        await trio.sleep(0.05)
        block(partial(house.published_so_many, 2))
        await until(partial(house.acquitted_so_many, 1))
        wait_until(partial(house.published_so_many, 3))
    (_, named, _), (_, health, _), (topic, own, _) = house.published
    assert named.startswith(b"blocks its process in do_fire() (props/fogger/")
    assert health.startswith(b"health of fogger: blocks its process in do_fire() (props/fogger/")
    assert topic == "halloween/fogger/status/error"
    assert own.startswith(b"the host's own code blocks its process in task ")


async def test_a_process_of_ones_own_that_stays_blocked() -> None:
    """It is not the host that ends."""
    house = House()
    async with house.watched(exit_s=1.0, reach=Reach(alone="fogger")):
        block(lambda: house.left)
    last = b"the event loop has stood still for 1 s: its process ends itself (status 70); blocks it in do_fire()"
    assert any(payload.startswith(last) for _, payload, _ in house.published)
