"""What refuses to end does not hold the process: it is named, left behind, and everybody is offline all the same."""

from __future__ import annotations

import signal

import pytest

from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

NATIVE_TASK = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._stubborn)

    async def _stubborn(self):
        with anyio.CancelScope(shield=True):
            await anyio.sleep_forever()
"""

NATIVE_HANDLER = """\
import threading

from halloween_host import BaseWorker


class Worker(BaseWorker):
    def do_block(self, arg):
        self.status("block", "blocks")
        threading.Event().wait()
"""

LEGACY_TASK = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._stubborn())

    async def _stubborn(self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
"""

LEGACY_STOP = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def stop(self):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
"""

LEGACY_HANDLER = """\
import threading

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    def do_block(self, arg):
        self.publish_status("block", "blocks")
        threading.Event().wait()
"""

THREAD = """\
import threading

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        timer = threading.Timer(3600, print)
        timer.name = "the-lamp-timer"
        timer.start()
"""

POLITE = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def stop(self):
        self.status("stop", "ran")
        await super().stop()
"""


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param(NATIVE_TASK, "_stubborn", id="native_task"),
        pytest.param(NATIVE_HANDLER, "do_block", id="native_handler"),
        pytest.param(LEGACY_TASK, "_stubborn", id="legacy_task"),
        pytest.param(LEGACY_STOP, "stop", id="legacy_stop"),
        pytest.param(LEGACY_HANDLER, "do_block", id="legacy_handler"),
    ],
)
async def test_a_worker_that_refuses_to_end(haunt: Haunt, broker: Mosquitto, source: str, name: str) -> None:
    """It is named with its task on the log and on `status/error`, offline like its polite neighbour, and the status is 0."""
    haunt.prop("coffin", source)
    haunt.prop("neighbour", POLITE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_STOP_TIMEOUT_S="0.5") as host:
        for prop in ("coffin", "neighbour"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        if name == "do_block":
            await broker.publish("halloween/coffin/cmd", "block")
            await listener.expect("halloween/coffin/status/block blocks")
        await host.stop(within_s=20)
        await listener.expect(
            lambda line: line.startswith("halloween/coffin/status/error ") and name in line and "left behind" in line
        )
        assert host.matching("error", "coffin", name, "left behind")
        await listener.expect("halloween/neighbour/status/stop ran")
        for prop in ("coffin", "neighbour", "worker_host"):
            await listener.expect(f"halloween/{prop}/status/availability offline")


async def test_a_thread_that_lives_on(haunt: Haunt, broker: Mosquitto) -> None:
    """A `threading.Timer` of an hour, which the interpreter would wait for, is named and left behind; the status is 0."""
    haunt.prop("lamp", THREAD)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/lamp/status/availability online", within_s=30)
        await host.stop(within_s=20)
        assert host.matching("the-lamp-timer")
        await listener.expect("halloween/lamp/status/availability offline")
        await listener.expect("halloween/worker_host/status/availability offline")


BLOCKS = """\
import time

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_block(self, arg):
        self.status("block", "blocks")
        print("blocks now")
        time.sleep(3600)
"""


async def test_a_worker_that_blocks_the_whole_host(haunt: Haunt, broker: Mosquitto) -> None:
    """Code that never gives the event loop back is named with its line, and the process ends all the same; its will says offline."""
    haunt.prop("lamp", BLOCKS)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_STOP_TIMEOUT_S="0.5") as host:
        await listener.expect("halloween/lamp/status/availability online", within_s=30)
        await broker.publish("halloween/lamp/cmd", "block")
        await host.expect_log("blocks now")
        host.signal(signal.SIGTERM)
        await host.wait(None, within_s=20)
        assert host.matching("error", "lamp", "props/lamp/backend/worker.py:10")
        await listener.expect("halloween/worker_host/status/availability offline")


BLOCKS_AT_IMPORT = """\
import time

print("imports")
time.sleep(3600)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_during_an_import_that_blocks(haunt: Haunt, broker: Mosquitto, signum: signal.Signals) -> None:
    """Before anything runs there is nothing to end in good order: the process ends at once, without a traceback."""
    haunt.prop("lamp", BLOCKS_AT_IMPORT)
    async with haunt.host(broker) as host:
        await host.expect_log("imports")
        host.signal(signum)
        await host.wait(128 + signum, within_s=20)
        assert "Traceback" not in host.log


LEAKS = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.leak = asyncio.create_task(self._drip())

    async def _drip(self):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.status("drip", "cancelled")
            raise
"""


async def test_a_task_that_leaks(haunt: Haunt, broker: Mosquitto) -> None:
    """A task that an asyncio worker started past `spawn` ends with it, and a warning names it."""
    haunt.prop("pipe", LEAKS)
    # two connections are in no order
    async with broker.listen("halloween/#") as listener, haunt.host(broker, PRESENCE_MAX="0") as host:
        await listener.expect("halloween/pipe/status/availability online", within_s=30)
        await host.stop()
        await listener.expect_in_order(
            "halloween/pipe/status/drip cancelled", "halloween/pipe/status/availability offline"
        )
        assert host.matching("warning", "pipe", "_drip")
