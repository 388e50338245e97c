"""An asyncio worker's wrong turns get one clear line each, and do no harm to their worker's loop."""

from __future__ import annotations

import asyncio
from typing import Any

import trio
from trio.testing import MockClock

from halloween_host.legacy import open_legacy_home
from tests.yard import open_yard
from worker_host.base import BaseWorker


async def test_trio_in_an_asyncio_worker_names_the_import_to_change(autojump_clock: MockClock) -> None:
    """The wrong turn gets one line with file, line and the way out."""

    class Worker(BaseWorker):
        async def do_nap(self, arg: str | None) -> None:
            await trio.sleep(1)

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("nap")
        index = await yard.expect("status/error nap: RuntimeError…")
        assert "test_wrong_turns.py:" in yard.heard[index]
        assert "from halloween_host import BaseWorker" in yard.heard[index]


async def test_spawn_before_start_is_one_clear_error(autojump_clock: MockClock) -> None:
    """It closes the coroutine, too: nothing is 'never awaited'."""

    class Worker(BaseWorker):
        def __init__(self, prop_id: str, mqtt: Any, config: Any) -> None:
            super().__init__(prop_id, mqtt, config)
            self.spawn(asyncio.sleep(1))

    async with open_yard(Worker, open_legacy_home) as yard:
        await yard.expect("status/error __init__() crashed: SpawnError: coffin: spawn() called before start()…")


async def test_a_failing_task_that_nobody_awaits_is_reported(autojump_clock: MockClock) -> None:
    """`asyncio.create_task` past spawn: its exception is said as this worker's, and the worker lives on."""

    class Worker(BaseWorker):
        async def do_ping(self, arg: str | None) -> None:
            self.telemetry("pong", arg or "ok")

        async def do_leak(self, arg: str | None) -> None:
            asyncio.create_task(self._fails())  # noqa: RUF006 nobody keeps it: that is the point

        async def _fails(self) -> None:
            raise ValueError("nobody looks")

    async with open_yard(Worker, open_legacy_home) as yard:
        yard.send("leak")
        index = await yard.expect("status/error task …")
        assert "_fails" in yard.heard[index]
        assert "ValueError: nobody looks" in yard.heard[index]
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
