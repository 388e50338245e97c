"""A host that may open few files, or whose worker opens them all, says what it cannot have, and goes on without it."""

from __future__ import annotations

import resource
import sys

import pytest

from tests.end_to_end.haunt import Haunt, Words, holding, telling
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

ASYNCIO = """\
import asyncio
import os

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_hoard(self, arg):
        self.hoard = []
        try:
            while True:
                self.hoard.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            self.telemetry("hoard", error.strerror)

    async def do_let_go(self, arg):
        for each in self.hoard:
            os.close(each)
        self.telemetry("let_go", len(self.hoard) > 0)

    async def do_connect(self, arg):
        _, writer = await asyncio.open_connection("127.0.0.1", int(arg))
        writer.close()
        await writer.wait_closed()
        self.telemetry("connect", "done")

    async def do_ping(self, arg):
        self.telemetry("pong", arg)
"""
PROPS = [f"ghost-{number}" for number in range(24)]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux lowers another process's limits, prlimit(2)"
)


def allow(host: HostProcess, files: int) -> None:
    """It cannot raise this limit itself; Python has not even started in there by now."""
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (files, files))


async def test_more_asyncio_workers_than_files(haunt: Haunt, broker: Mosquitto) -> None:
    """All are online and answer, for an asyncio loop has no descriptor of its own; whoever gets no connection has one line."""
    for prop in PROPS:
        haunt.prop(prop, ASYNCIO)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        allow(host, 32)
        await Words(listener).hear("online", *PROPS)
        assert "warning" in await host.expect_log("has no connection of its own", "Too many open files")
        for prop in (PROPS[0], PROPS[-1]):
            await broker.publish(f"halloween/{prop}/cmd", "ping on")
            await listener.expect(f"halloween/{prop}/telemetry/pong on")
        await host.stop()
        lines = [line.split()[2] for line in host.matching("has no connection of its own")]
        assert len(lines) == len(set(lines)) < len(PROPS)
        assert not host.matching("Traceback")


async def test_a_worker_that_opens_all_files(haunt: Haunt, broker: Mosquitto) -> None:
    """Another one that needs a descriptor is refused it in one line, a restart needs none, and what is free again is everybody's."""
    for prop in PROPS[:3]:
        haunt.prop(prop, ASYNCIO)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        allow(host, 64)
        words = Words(listener)
        await words.hear("online", *PROPS[:3])
        for prop in PROPS[:3]:
            await listener.expect(telling(f"halloween/{prop}/status/health", state="online", presence=True))
        await broker.publish("halloween/ghost-0/cmd", "hoard")
        await listener.expect("halloween/ghost-0/telemetry/hoard Too many open files")
        await broker.publish("halloween/ghost-1/cmd", f"connect {broker.port}")
        await listener.expect(holding("halloween/ghost-1/status/error ", "Too many open files"))
        await broker.publish("halloween/worker_host/cmd", "restart ghost-2")
        await words.hear("offline", "ghost-2")
        await words.hear("online", "ghost-2")
        await broker.publish("halloween/ghost-0/cmd", "let_go")
        await listener.expect("halloween/ghost-0/telemetry/let_go True")
        await broker.publish("halloween/ghost-1/cmd", f"connect {broker.port}")
        await listener.expect("halloween/ghost-1/telemetry/connect done")
        await host.stop()
