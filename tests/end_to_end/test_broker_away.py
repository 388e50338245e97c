"""The broker may be absent, vanish and come back: workers run on, and what they said meanwhile is kept as far as it is worth it."""

from __future__ import annotations

import re

from tests.conftest import MakeMosquitto
from tests.end_to_end.haunt import Haunt, heard_of
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto, free_port

#: Counts aloud for ever; when the file `storm` appears, says much and commands the fogger.
COFFIN = """\
from pathlib import Path

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._count)
        self.spawn(self._storm)

    async def _count(self):
        number = 0
        while True:
            number += 1
            print("counted", number)
            await anyio.sleep(0.1)

    async def _storm(self):
        while not Path("storm").exists():
            await anyio.sleep(0.02)
        for number in range(1, 6):
            self.telemetry("wind", number)
            self.telemetry("rain/roof", number)
            self.status("mood", f"gloomy {number}")
            self.status("error", f"tile {number} fell")
            self.status("warn", f"tile {number} is loose")
        self.command("fogger", "start", "too late")
        print("the storm is over")

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""

FOGGER = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.mqtt.subscribe("weather/#")

    async def do_start(self, arg):
        self.telemetry("fog", arg)
"""


async def count_on(host: HostProcess) -> None:
    """Return when the worker counted further than now."""
    line = await host.expect_log("counted", after=len(host.lines))
    match = re.search(r"counted (\d+)", line)
    assert match is not None
    await host.expect_log(f"counted {int(match[1]) + 3}")


async def test_a_broker_killed_and_restarted(haunt: Haunt, broker: Mosquitto) -> None:
    """Workers run on meanwhile; afterwards every `online` is published anew, of telemetry and status the newest value per topic,
    every error and warning line, commands work; a command that waited over 5 s is dropped with a line. Of all the connections that
    are lost (the host's, each worker's, the guard's, that of a worker's own subscriptions, an isolated worker's) one line is said,
    with the reason."""
    haunt.prop("coffin", COFFIN)
    haunt.prop("fogger", FOGGER)
    haunt.prop("tomb", FOGGER)
    async with haunt.host(broker, WORKER_ISOLATE="tomb") as host:
        for prop in ("coffin", "fogger", "tomb"):
            await host.expect_log("online", prop)
        broker.kill()
        await host.expect_log("lost the broker")
        await count_on(host)
        (haunt.folder / "storm").touch()
        await host.expect_log("the storm is over")
        await host.expect_log("halloween/fogger/cmd", "dropped")
        (line,) = [line for line in host.matching("warning") if "dropped" not in line]
        assert "lost the broker" in line
        assert "cannot be reached again" in line
        assert "connection refused" in line
        host.pause()  # so that the listener stands before the host is back
        broker.start()
        async with broker.listen("halloween/#") as listener:
            host.resume()
            for prop in ("coffin", "fogger", "tomb", "worker_host"):
                await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
            await listener.expect("halloween/coffin/status/warn tile 5 is loose")
            await broker.publish("halloween/coffin/cmd", "ping back")
            await listener.expect("halloween/coffin/telemetry/pong back")
            said = heard_of(listener, "coffin")
            assert [line for line in said if "wind" in line] == ["telemetry/wind 5"]
            assert [line for line in said if "rain" in line] == ["telemetry/rain/roof 5"]
            assert [line for line in said if "mood" in line] == ["status/mood gloomy 5"]
            for key, text in (("error", "fell"), ("warn", "is loose")):
                lines = [line for line in said if line.startswith(f"status/{key} tile")]
                assert lines == [f"status/{key} tile {number} {text}" for number in range(1, 6)]
            assert not [line for line in heard_of(listener, "fogger") if line.startswith(("cmd", "telemetry"))]
            assert len(host.matching("lost the broker")) == 1


async def test_a_command_that_was_sent_and_never_acknowledged(haunt: Haunt, broker: Mosquitto) -> None:
    """A broker that hangs, takes a command without a word and dies: the command is not sent again when it is too old."""
    haunt.prop("coffin", COFFIN)
    haunt.prop("fogger", FOGGER)
    async with haunt.host(broker, MQTT_KEEPALIVE="2") as host:
        await host.expect_log("online", "coffin")
        await host.expect_log("online", "fogger")
        broker.freeze()
        (haunt.folder / "storm").touch()
        await host.expect_log("the storm is over")
        await host.expect_log("halloween/fogger/cmd", "dropped")
        host.pause()
        broker.kill()
        broker.start()
        async with broker.listen("halloween/#") as listener:
            host.resume()
            await listener.expect("halloween/fogger/status/availability online", within_s=30)
            await broker.publish("halloween/fogger/cmd", "start now")
            await listener.expect("halloween/fogger/telemetry/fog now")
            assert not [line for line in heard_of(listener, "fogger") if "too late" in line]


async def test_a_broker_that_is_absent_at_the_start(haunt: Haunt, make_mosquitto: MakeMosquitto) -> None:
    """The workers run, the log says once that nobody is there, and all are online as soon as the broker is up."""
    broker = make_mosquitto(start=False, port=free_port())
    haunt.prop("coffin", COFFIN)
    haunt.prop("fogger", FOGGER)
    async with haunt.host(broker) as host:
        await host.expect_log("cannot reach the broker", str(broker.port))
        await count_on(host)
        broker.start()
        async with broker.listen("halloween/#") as listener:
            for prop in ("coffin", "fogger", "worker_host"):
                await listener.expect(f"halloween/{prop}/status/availability online", within_s=40)
            await broker.publish("halloween/coffin/cmd", "ping")
            await listener.expect("halloween/coffin/telemetry/pong ok")
        assert len(host.matching("cannot reach the broker")) == 1


async def test_the_will(haunt: Haunt, broker: Mosquitto) -> None:
    """A host that is killed leaves `offline` behind on `worker_host/status/availability`, retained."""
    haunt.prop("fogger", FOGGER)
    async with broker.listen("halloween/worker_host/#") as listener:
        async with haunt.host(broker):
            await listener.expect("halloween/worker_host/status/availability online", within_s=30)
        await listener.expect("halloween/worker_host/status/availability offline")
    async with broker.listen("halloween/worker_host/status/availability") as late:
        assert (await late.expect("halloween/worker_host/status/availability offline")).retain
