"""The host on a real broker: commands in, telemetry out, availability told, all of it in one process with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import trio

from halloween_host.host import Host, Places
from halloween_host.settings import load_settings
from tests.mosquitto import Mosquitto

NATIVE = """
    import anyio
    from halloween_host import BaseWorker

    class Worker(BaseWorker):
        async def start(self):
            await super().start()
            self.spawn(self._ticker)

        async def _ticker(self):
            tick = 0
            while True:
                self.telemetry("tick", tick)
                tick += 1
                await anyio.sleep(0.2)

        async def do_ping(self, arg):
            self.telemetry("pong", arg or "ok")

        async def do_relay(self, arg):
            self.command("other", "ping", arg)
"""


def write_prop(props: Path, name: str, source: str) -> Path:
    path = props / name / "backend" / "worker.py"
    path.parent.mkdir(parents=True)
    path.write_text(dedent(source))
    return path


@asynccontextmanager
async def running_host(broker: Mosquitto, props: Path, **environ: str) -> AsyncIterator[Host]:
    """The host on `broker` until the block ends, then stopped in good order."""
    environ = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port), **environ}
    left: list[int] = []
    host = Host(load_settings(environ), Places(props, ()), environ, leave=left.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        yield host
        host.stop()
    assert left == []


async def test_commands_come_in_and_telemetry_goes_out(broker: Mosquitto, tmp_path: Path) -> None:
    """`online` comes before the first tick, commands are answered, workers command each other, and all say `offline`."""
    write_prop(tmp_path, "coffin", NATIVE)
    write_prop(tmp_path, "other", NATIVE)
    async with broker.listen("halloween/#") as listener:
        async with running_host(broker, tmp_path):
            await listener.expect_in_order(
                "halloween/coffin/status/availability online", "halloween/coffin/telemetry/tick 0"
            )
            await broker.publish("halloween/coffin/cmd", "ping hello")
            await listener.expect("halloween/coffin/telemetry/pong hello")
            await broker.publish("halloween/coffin/cmd", '{"action": "relay", "args": "boo"}')
            await listener.expect("halloween/other/telemetry/pong boo")
            await listener.expect("halloween/worker_host/uptime 0")
        await listener.expect("halloween/coffin/status/availability offline")
        await listener.expect("halloween/other/status/availability offline")
        await listener.expect("halloween/worker_host/status/availability offline")


BLOCKER = """
    import time
    from halloween_host import BaseWorker

    class Worker(BaseWorker):
        async def do_block(self, arg):
            time.sleep(0.4)
"""


async def test_a_worker_that_blocked_the_loop_is_named_and_degraded(broker: Mosquitto, tmp_path: Path) -> None:
    """Who kept the loop from everybody is told when it gives it back: a line, and health for a minute; the others are online."""
    write_prop(tmp_path, "coffin", BLOCKER)
    write_prop(tmp_path, "other", NATIVE)
    async with broker.listen("halloween/#") as listener, running_host(broker, tmp_path):
        await listener.expect("halloween/coffin/status/availability online")
        await broker.publish("halloween/coffin/cmd", "block")
        await listener.expect(
            lambda line: line.startswith("halloween/coffin/status/warn blocked the host and all other workers for 0.")
        )
        await listener.expect(
            lambda line: line.startswith('halloween/coffin/status/health {"state":"degraded","reason":"blocked')
        )
        assert not [line for line in listener.lines if "other/status/health" in line and "degraded" in line]
