"""A crash is contained: told truly, the rest of the worker ended in order, a new instance after its back-off."""

from __future__ import annotations

from typing import ClassVar

import anyio
import pytest
import trio
from trio.testing import MockClock

from halloween_host import BaseWorker
from tests.supervisor.quiet import Quiet
from tests.yard import open_yard


async def test_an_exception_in_a_handler_is_said_and_the_worker_lives_on(autojump_clock: MockClock) -> None:
    """`fire: ValueError: …` on status/error, no restart, the next command works."""

    class Worker(Quiet):
        async def do_fire(self, arg: str | None) -> None:
            int(arg or "")

    async with open_yard(Worker) as yard:
        yard.send("fire soon")
        await yard.expect("status/error fire: ValueError: invalid literal for int() with base 10: 'soon'")
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        assert yard.supervisor.health.restarts == 0


async def test_a_plain_handler_that_fails_is_said_likewise() -> None:
    """An exception in a thread takes the same way; what is no Exception there is a crash."""

    class Worker(Quiet):
        def do_blink(self, arg: str | None) -> None:
            raise OSError("no lamp")

        def do_quit(self, arg: str | None) -> None:
            raise SystemExit

    async with open_yard(Worker) as yard:
        yard.send("blink")
        await yard.expect("status/error blink: OSError: no lamp")
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        yard.send("quit")
        await yard.expect("status/error do_quit crashed: SystemExit…")
        await yard.expect("status/availability offline")


@pytest.mark.parametrize(
    "error", [ValueError("boom"), SystemExit(3), KeyboardInterrupt(), BaseExceptionGroup("g", [SystemExit(1)])]
)
async def test_a_crashed_task_takes_the_worker_offline_stops_it_and_restarts_it(
    autojump_clock: MockClock, error: BaseException
) -> None:
    """`offline` first, then the other tasks end, then `stop()` runs, and after a back-off a new instance is online."""

    class Worker(Quiet):
        instances: ClassVar[int] = 0

        async def start(self) -> None:
            type(self).instances += 1
            self.spawn(self._other)
            if self.instances == 1:
                self.spawn(self._crashes)

        async def _other(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.status("other", "ended")

        async def _crashes(self) -> None:
            await anyio.sleep(1)
            raise error

        async def stop(self) -> None:
            self.status("valve", "closed")
            await super().stop()

    async with open_yard(Worker) as yard:
        await yard.expect("status/valve closed")
        names = [line.split()[0] + " " + line.split()[1] for line in yard.heard]
        assert names[:5] == [
            "status/availability online",
            "status/availability offline",
            "status/error _crashes",
            "status/other ended",
            "status/valve closed",
        ]
        await yard.expect("status/availability online", since=5)
        assert yard.supervisor.health.restarts == 1
        yard.send("ping")
        await yard.expect("telemetry/pong ok")


async def test_a_failing_start_is_tried_again_with_a_growing_back_off_and_a_budget(autojump_clock: MockClock) -> None:
    """5 restarts within a minute, then one try a minute; `offline` is never contradicted."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            raise RuntimeError("no relay")

    async with open_yard(Worker) as yard:
        await trio.sleep(120)
        first = yard.supervisor.health.restarts
        await trio.sleep(600)
        assert 5 <= first <= 9
        assert 9 <= yard.supervisor.health.restarts - first <= 11
        assert "status/availability online" not in yard.heard
        assert any(line.startswith("status/error start() crashed: RuntimeError: no relay") for line in yard.heard)


async def test_commands_while_it_is_down_are_refused_not_kept(autojump_clock: MockClock) -> None:
    """A command that comes between two instances is refused with a line: it must not fire the prop at its return."""

    class Worker(Quiet):
        async def start(self) -> None:
            self.spawn(self._crashes)

        async def _crashes(self) -> None:
            await anyio.sleep(1)
            raise RuntimeError("boom")

    async with open_yard(Worker) as yard:
        online = await yard.expect("status/availability online")
        await yard.expect("status/availability offline", since=online)
        yard.send("ping")
        await yard.expect("status/error ping: refused, the worker is offline: _crashes crashed: RuntimeError: boom…")
