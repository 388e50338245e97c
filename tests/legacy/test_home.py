"""asyncio workers under the real supervisor: 2025's life cycle, handlers, stop and crash, unchanged or as the docs say."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock

from halloween_host.legacy import open_legacy_home
from halloween_host.states import State
from tests.yard import Yard, open_yard
from worker_host.base import BaseWorker

STATES = ("state started", "state stopped")


class Quiet(BaseWorker):
    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg or "ok")


def said(yard: Yard) -> list[str]:
    """What was heard, without the two states of the life cycle."""
    return [line for line in yard.heard if line not in STATES]


async def test_a_worker_of_2025_ticks_answers_and_stops(autojump_clock: MockClock) -> None:
    """`spawn(self._ticker())`, `asyncio.sleep`, `CancelledError` with a `finally` that awaits: as ever, in order."""

    class Worker(Quiet):
        async def start(self) -> None:
            await super().start()
            self.spawn(self._ticker())

        async def _ticker(self) -> None:
            i = 0
            try:
                while True:
                    self.telemetry("tick", i)
                    i += 1
                    await asyncio.sleep(5)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
                self.telemetry("tick", "last")
                raise

    async with open_yard(Worker, open_legacy_home) as yard:
        await yard.expect("telemetry/tick 2", within_s=15)
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        await yard.stop()
        assert yard.heard == [
            "state started",
            "status/availability online",
            "telemetry/tick 0",
            "telemetry/tick 1",
            "telemetry/tick 2",
            "telemetry/pong ok",
            "telemetry/tick last",
            "state stopped",
            "status/availability offline",
        ]
        assert [post.retain for post in yard.posts if post.topic.endswith("/state")] == [True, True]


async def test_create_task_in_the_constructor_works(autojump_clock: MockClock) -> None:
    """A worker is constructed inside its running loop; what it leaves running at the end is cancelled and named."""

    class Worker(Quiet):
        def __init__(self, prop_id: str, mqtt: Any, config: Any) -> None:
            super().__init__(prop_id, mqtt, config)
            self.queue: asyncio.Queue[str] = asyncio.Queue()
            self.leak = asyncio.create_task(self._drain())

        async def _drain(self) -> None:
            while True:
                self.telemetry("drained", await self.queue.get())

        async def do_put(self, arg: str) -> None:
            await self.queue.put(arg)

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("put fog")
        await yard.expect("telemetry/drained fog")
        await yard.stop()
        index = await yard.expect("status/warn …")
        assert "_drain" in yard.heard[index]
        assert "past spawn()" in yard.heard[index]


async def test_handlers_get_text_whatever_their_annotation(autojump_clock: MockClock) -> None:
    """Legacy handlers get text or None: JSON as its text; values go out as `str(value)`."""

    class Worker(BaseWorker):
        async def do_show(self, arg: str | dict[str, int] | None) -> None:
            self.telemetry("got", arg)

        async def do_values(self, arg: str | None) -> None:
            for key, value in {"none": None, "true": True, "list": [1, "a"], "float": 0.5}.items():
                self.telemetry(f"value/{key}", value)

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send('{"action": "show", "args": {"a": 1}}')
        yard.send("show")
        yard.send('{"action": "show", "args": 5}')
        yard.send("values")
        await yard.expect("telemetry/value/float 0.5")
        assert said(yard)[1:] == [
            'telemetry/got {"a":1}',
            "telemetry/got None",
            "telemetry/got 5",
            "telemetry/value/none None",
            "telemetry/value/true True",
            "telemetry/value/list [1, 'a']",
            "telemetry/value/float 0.5",
        ]


async def test_handlers_start_in_order_and_run_side_by_side(autojump_clock: MockClock) -> None:
    """1,000 commands start in order; one that never ends delays nobody."""

    class Worker(Quiet):
        order: ClassVar[list[int]] = []

        async def do_count(self, arg: str) -> None:
            self.order.append(int(arg))
            await asyncio.sleep(3600)

    async with open_yard(Worker, open_legacy_home) as yard:
        for number in range(1000):
            yard.send(f"count {number}")
        yard.send("ping")
        await yard.expect("telemetry/pong ok", within_s=1)
    assert Worker.order == list(range(1000))


async def test_plain_handlers_run_in_threads_in_their_order() -> None:
    """A `def` handler runs in a thread of the worker's; telemetry works from there, and from threads it starts."""

    class Worker(BaseWorker):
        order: ClassVar[list[int]] = []

        def do_count(self, arg: str) -> None:
            self.order.append(int(arg))
            self.telemetry("count", arg, retain=True)

    async with open_yard(Worker, open_legacy_home) as yard:
        for number in range(200):
            yard.send(f"count {number}")
        await yard.expect("telemetry/count 199")
    assert Worker.order == list(range(200))


async def test_a_failing_handler_is_said_and_do_command_is_the_fallback(autojump_clock: MockClock) -> None:
    """`fire: ValueError…` and the worker lives on; an action without a handler goes to `do_command(action, arg)`."""

    class Worker(BaseWorker):
        async def do_fire(self, arg: str | None) -> None:
            int(arg or "")

        async def do_command(self, action: str, arg: str | None) -> None:
            self.telemetry("fallback", f"{action} {arg}")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("fire soon")
        await yard.expect("status/error fire: ValueError: invalid literal for int() with base 10: 'soon'")
        yard.send("blink twice")
        await yard.expect("telemetry/fallback blink twice")
        assert yard.supervisor.health.restarts == 0


@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3), KeyboardInterrupt()])
async def test_a_crashed_task_restarts_the_worker(autojump_clock: MockClock, error: BaseException) -> None:
    """`offline` first, the other tasks end, `stop()` runs, and a new instance on a new loop comes online."""

    class Worker(Quiet):
        loops: ClassVar[list[asyncio.AbstractEventLoop]] = []

        async def start(self) -> None:
            await super().start()
            self.loops.append(asyncio.get_running_loop())
            self.spawn(self._other())
            if len(self.loops) == 1:
                self.spawn(self._crashes())

        async def _other(self) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                self.status("other", "ended")

        async def _crashes(self) -> None:
            await asyncio.sleep(1)
            raise error

        async def stop(self) -> None:
            self.status("valve", "closed")
            await super().stop()

    async with open_yard(Worker, open_legacy_home) as yard:
        index = await yard.expect("status/valve closed")
        assert [" ".join(line.split()[:2]) for line in said(yard)[:5]] == [
            "status/availability online",
            "status/availability offline",
            "status/error _crashes",
            "status/other ended",
            "status/valve closed",
        ]
        await yard.expect("status/availability online", since=index)
        assert sum("crashed" in line for line in yard.heard) == 1
        assert Worker.loops[0] is not Worker.loops[1]
        yard.send("ping")
        await yard.expect("telemetry/pong ok")


async def test_a_worker_that_stops_itself_is_not_stopped_twice(autojump_clock: MockClock) -> None:
    """2025's `do_exit`: offline on purpose, no restart, and the handler that called `stop()` goes on."""

    class Worker(BaseWorker):
        stops: ClassVar[int] = 0

        async def stop(self) -> None:
            type(self).stops += 1
            await super().stop()

        async def do_exit(self, arg: str | None) -> None:
            await self.stop()
            await asyncio.sleep(0.5)
            self.status("exit", "done")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("exit")
        await yard.expect("status/exit done")
        await trio.sleep(100)
        assert yard.supervisor.state is State.OFFLINE
        assert said(yard) == ["status/availability online", "status/availability offline", "status/exit done"]
        assert Worker.stops == 1


async def test_who_swallows_cancellation_is_named_and_left_behind(autojump_clock: MockClock) -> None:
    """A task that does not heed `CancelledError` is named with its line; the supervisor goes on without it."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.spawn(self._stubborn())

        async def _stubborn(self) -> None:
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    continue

    async with open_yard(Worker, open_legacy_home) as yard:
        await trio.sleep(1)
        began = trio.current_time()
        await yard.stop()
        assert trio.current_time() - began < 7
        assert "_stubborn" in yard.supervisor.left_behind[0]
        await yard.expect("status/availability offline")
