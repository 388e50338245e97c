"""The end of a worker is in order and under a deadline, whoever asked for it."""

from __future__ import annotations

from typing import ClassVar

import anyio
import trio
from trio.testing import MockClock

from halloween_host import BaseWorker
from halloween_host.errors import SpawnError
from halloween_host.states import State
from tests.yard import open_yard


async def test_stop_order(autojump_clock: MockClock) -> None:
    """Handlers are cancelled, then `stop()` runs with the spawned tasks alive, then those end, then `offline`."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.spawn(self._tick)

        async def _tick(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.1)
                self.telemetry("said", "task ended")

        async def do_fire(self, arg: str | None) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.telemetry("said", "handler ended")

        async def stop(self) -> None:
            await anyio.sleep(0.1)
            self.telemetry("said", "stop runs")
            await super().stop()
            self.telemetry("said", "stop is over")

    async with open_yard(Worker) as yard:
        yard.send("fire")
        await trio.sleep(1)
        await yard.stop()
        assert yard.heard == [
            "status/availability online",
            "telemetry/said handler ended",
            "telemetry/said stop runs",
            "telemetry/said task ended",
            "telemetry/said stop is over",
            "status/availability offline",
        ]
        assert yard.supervisor.left_behind == []


async def test_a_stop_over_its_deadline_is_cancelled_and_named(autojump_clock: MockClock) -> None:
    """`stop()` gets 5 s, then it is cancelled with a line, and the worker is offline."""

    class Worker(BaseWorker):
        async def stop(self) -> None:
            await anyio.sleep_forever()

    async with open_yard(Worker) as yard:
        await trio.sleep(1)
        began = trio.current_time()
        await yard.stop()
        assert 4.9 < trio.current_time() - began < 6
        await yard.expect("status/error stop() has not returned in 5 s and was cancelled")
        await yard.expect("status/availability offline")


async def test_who_refuses_to_end_is_named_and_left_behind(autojump_clock: MockClock) -> None:
    """A shielded task outlives the deadline: it is named with its line, and nobody waits for it any longer."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            self.spawn(self._stubborn)

        async def _stubborn(self) -> None:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(100)

    async with open_yard(Worker) as yard:
        await trio.sleep(1)
        began = trio.current_time()
        await yard.stop()
        assert trio.current_time() - began < 7
        assert len(yard.supervisor.left_behind) == 1
        assert "_stubborn" in yard.supervisor.left_behind[0]
        assert "test_stop.py" in yard.supervisor.left_behind[0]
        await yard.expect("status/availability offline")


async def test_a_worker_that_stops_itself_goes_offline_on_purpose(autojump_clock: MockClock) -> None:
    """`await self.stop()` in a handler: offline, not restarted, not stopped twice, and the handler goes on to its end."""

    class Worker(BaseWorker):
        stops: ClassVar[int] = 0

        async def stop(self) -> None:
            type(self).stops += 1
            await super().stop()

        async def do_exit(self, arg: str | None) -> None:
            await self.stop()
            await anyio.sleep(0.5)
            self.status("exit", "done")

    async with open_yard(Worker) as yard:
        yard.send("exit")
        await yard.expect("status/exit done")
        await trio.sleep(100)
        assert yard.supervisor.state is State.OFFLINE
        assert yard.heard == ["status/availability online", "status/availability offline", "status/exit done"]
        assert Worker.stops == 1
        assert yard.supervisor.health.restarts == 0


async def test_what_fails_after_its_own_stop_restarts_nothing(autojump_clock: MockClock) -> None:
    """Offline on purpose stays offline, whatever the handler that goes on does."""

    class Worker(BaseWorker):
        async def do_exit(self, arg: str | None) -> None:
            await self.stop()
            raise SystemExit

    async with open_yard(Worker) as yard:
        yard.send("exit")
        await yard.expect("status/error do_exit crashed: SystemExit…")
        await trio.sleep(100)
        assert yard.supervisor.state is State.OFFLINE
        assert yard.supervisor.health.restarts == 0


async def test_spawn_at_the_wrong_moment_is_one_clear_error(autojump_clock: MockClock) -> None:
    """Before `start()` and after `stop()` spawn raises, and closes a coroutine object: no 'never awaited'."""

    class Worker(BaseWorker):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type] # as an author would hand them on
            try:
                self.spawn(self._tick())
            except SpawnError as error:
                self.status("spawn", str(error))

        async def _tick(self) -> None:
            await anyio.sleep_forever()

        async def stop(self) -> None:
            await super().stop()
            self.spawn(self._tick())

    async with open_yard(Worker) as yard:
        await yard.expect("status/spawn coffin: spawn() called before start()…")
        await yard.stop()
        await yard.expect("status/error stop(): SpawnError: coffin: spawn() called after stop()…")
