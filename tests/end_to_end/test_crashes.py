"""A crash is that worker's alone: it is said, the worker goes offline, its `stop()` runs, a new instance comes, nobody else notices."""

from __future__ import annotations

import pytest

from tests.end_to_end.haunt import Haunt, beginning, heard_of, holding, words_of
from tests.mosquitto import Mosquitto

NATIVE = """\
import anyio

from halloween_host import BaseWorker

born = 0


class Worker(BaseWorker):
    async def start(self):
        global born
        born += 1
        await super().start()
        if self.config["crash_in_start"] and born == 1:
            raise eval(self.config["error"])
        self.spawn(self._other)
        self.telemetry("instance", born)

    async def _other(self):
        try:
            await anyio.sleep_forever()
        finally:
            self.status("other", "ended")

    async def _bomb(self):
        raise eval(self.config["error"])

    async def do_explode(self, arg):
        self.spawn(self._bomb)

    async def do_fail(self, arg):
        raise eval(self.config["error"])

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")

    async def stop(self):
        self.status("valve", "closed")
        await super().stop()
"""

LEGACY = (
    NATIVE.replace("import anyio\n\nfrom halloween_host import", "import asyncio\n\nfrom worker_host.base import")
    .replace("self._other)", "self._other())")
    .replace("self._bomb)", "self._bomb())")
    .replace("anyio.sleep_forever()", "asyncio.sleep(3600)")
)

SIBLING = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self):
        tick = 0
        while True:
            self.telemetry("tick", tick)
            tick += 1
            await asyncio.sleep(0.1)
"""

ERRORS = ["ValueError('boom')", "SystemExit(3)", "KeyboardInterrupt()"]
SAID = ["ValueError: boom", "SystemExit: 3", "KeyboardInterrupt"]
DIALECTS = pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])


def config(error: str, *, in_start: bool = False) -> str:
    return f'error: "{error}"\ncrash_in_start: {str(in_start).lower()}\n'


@DIALECTS
async def test_a_crash_in_a_spawned_task(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """`ValueError`, `SystemExit`, `KeyboardInterrupt` alike: reported with its place, offline, the other tasks end, `stop()` runs,
    a new instance answers; the siblings' ticks go on without a gap."""
    for number, error in enumerate(ERRORS):
        haunt.prop(f"bomb{number}", source, config__yaml=config(error))
    haunt.prop("sibling", SIBLING)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        for number, said in enumerate(SAID):
            prop = f"halloween/bomb{number}"
            await listener.expect(f"{prop}/status/availability online", within_s=30)
            await listener.expect(f"{prop}/telemetry/instance 1", within_s=30)
            await broker.publish(f"{prop}/cmd", "explode")
            await listener.expect(beginning(f"{prop}/status/error _bomb"))
            await listener.expect(f"{prop}/telemetry/instance 2", within_s=30)
            await broker.publish(f"{prop}/cmd", "ping back")
            await listener.expect(f"{prop}/telemetry/pong back")
            place = f"props/bomb{number}/backend/worker.py:{1 + source.splitlines().index(BOMB)}"
            lines = heard_of(listener, f"bomb{number}")
            between = lines[lines.index("telemetry/instance 1") : lines.index("telemetry/instance 2")]
            assert words_of(listener, f"bomb{number}")[-3:] == ["online", "offline", "online"]
            assert [line for line in between if line.startswith("status")] == [
                f"status/error _bomb crashed: {said} ({place})",
                "status/other ended",
                "status/valve closed",
            ]
            assert len(host.matching("error", f"bomb{number}", "_bomb crashed", place)) == 1
        ticks = [line for line in heard_of(listener, "sibling") if line.startswith("telemetry/tick")]
        assert ticks == [f"telemetry/tick {number}" for number in range(len(ticks))]
        await host.stop()


BOMB = '        raise eval(self.config["error"])'


@DIALECTS
async def test_a_crash_in_start(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """A `start()` that raises anything at all is reported, `stop()` runs, and the next instance's start is tried after the back-off."""
    for number, error in enumerate(ERRORS):
        haunt.prop(f"bomb{number}", source, config__yaml=config(error, in_start=True))
    # two connections are in no order
    async with broker.listen("halloween/#") as listener, haunt.host(broker, PRESENCE_MAX="0") as host:
        for number, said in enumerate(SAID):
            prop = f"halloween/bomb{number}"
            await listener.expect_in_order(
                beginning(f"{prop}/status/error start() crashed: {said}"),
                f"{prop}/status/valve closed",
                f"{prop}/status/availability online",
                f"{prop}/telemetry/instance 2",
                within_s=30,
            )
        await host.stop()


@DIALECTS
async def test_an_exception_in_a_handler(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """It is `status/error` with action, type and text, and a traceback on the log; the worker lives on. `SystemExit` there is a crash."""
    haunt.prop("lamp", source, config__yaml=config("int('soon')"))
    haunt.prop("quitter", source, config__yaml=config("SystemExit(3)"))
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/lamp/telemetry/instance 1", within_s=30)
        await broker.publish("halloween/lamp/cmd", "fail")
        await listener.expect(
            "halloween/lamp/status/error fail: ValueError: invalid literal for int() with base 10: 'soon'"
        )
        await host.expect_log("fail: ValueError: invalid literal", "lamp")
        await host.expect_log("Traceback (most recent call last)")
        await broker.publish("halloween/lamp/cmd", "ping")
        await listener.expect("halloween/lamp/telemetry/pong ok")
        assert "offline" not in words_of(listener, "lamp")[1:]
        await listener.expect("halloween/quitter/telemetry/instance 1", within_s=30)
        await broker.publish("halloween/quitter/cmd", "fail")
        await listener.expect_in_order(
            holding("halloween/quitter/status/error ", "crashed: SystemExit: 3"),
            "halloween/quitter/status/valve closed",
            "halloween/quitter/telemetry/instance 2",
            within_s=30,
        )
        await host.stop()


ALWAYS_FAILS = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        raise OSError("no relay")
"""


async def test_the_restart_budget(haunt: Haunt, broker: Mosquitto) -> None:
    """After its budget of crashes (`WORKER_RESTART_LIMIT`) a worker is tried once a minute, and the log says when."""
    haunt.prop("lamp", ALWAYS_FAILS)
    async with haunt.host(broker, WORKER_RESTART_LIMIT="2") as host:
        await host.expect_log("lamp", "restarts in 60")
        assert len(host.matching("error", "lamp", "start() crashed: OSError: no relay")) == 3
        await host.stop()
