"""A worker is online when its `start()` returned, not before; what comes and what it says meanwhile waits."""

from __future__ import annotations

import pytest

from tests.end_to_end.haunt import Haunt, beginning, heard_of, words_of
from tests.mosquitto import Mosquitto

NATIVE = """\
from pathlib import Path

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.status("start", "waits")
        self.telemetry("tick", 1)
        self.telemetry("tick", 2)
        self.telemetry("other/key", "kept")
        while not Path("go").exists():
            await anyio.sleep(0.02)
        self.telemetry("tick", 3)

    async def do_ping(self, arg):
        self.telemetry(f"pong/{arg}", "ok")
"""

LEGACY = (
    NATIVE.replace("import anyio", "import asyncio")
    .replace("anyio.", "asyncio.")
    .replace("halloween_host", "worker_host.base")
)
QUICK = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""
DIALECTS = pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])


@DIALECTS
async def test_what_comes_during_a_slow_start(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """Status lines pass at once; commands and telemetry (the newest per topic) wait for `online`; `start()` over its time is
    named on the log and on `status/error`, the host and the others run on, and its late return brings the worker online."""
    haunt.prop("slow", source)
    haunt.prop("quick", QUICK)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_START_TIMEOUT_S="1") as host:
        await listener.expect("halloween/slow/status/start waits", within_s=30)
        for number in range(3):
            await broker.publish("halloween/slow/cmd", f"ping {number}")
        error = "start() has not returned in 1 s"
        await listener.expect(beginning(f"halloween/slow/status/error {error}"))
        await host.expect_log("error", "slow", error)
        await listener.expect("halloween/quick/status/availability online", within_s=30)
        await broker.publish("halloween/quick/cmd", "ping")
        await listener.expect("halloween/quick/telemetry/pong ok")
        said = heard_of(listener, "slow")
        assert not [line for line in said if line.startswith("telemetry") or line.endswith("online")]
        (haunt.folder / "go").touch()
        await listener.expect("halloween/slow/telemetry/pong/2 ok")
        said = heard_of(listener, "slow")
        after = [line for line in said if line.startswith("telemetry")]
        assert after == [
            "telemetry/other/key kept",
            "telemetry/tick 3",
            "telemetry/pong/0 ok",
            "telemetry/pong/1 ok",
            "telemetry/pong/2 ok",
        ]
        assert len(host.matching(error)) == 1


@DIALECTS
async def test_a_signal_during_a_slow_start(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """A host that is told to end while a `start()` still waits ends in good order."""
    haunt.prop("slow", source)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/slow/status/start waits", within_s=30)
        await host.stop()
        await listener.expect("halloween/worker_host/status/availability offline")
        assert "online" not in words_of(listener, "slow")
        assert "Traceback" not in host.log
