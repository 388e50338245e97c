"""Commands reach their handlers in order, none waits for another, and the two dialects command each other."""

from __future__ import annotations

import ast
import subprocess

import pytest
import trio

from tests.end_to_end.haunt import Haunt, beginning, heard_of
from tests.mosquitto import Mosquitto, program

NATIVE_COFFIN = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_trigger(self, guest: str | None) -> None:
        self.telemetry("trigger", guest)
        self.command("fogger", "start", {"seconds": 2.5, "by": "coffin"})
        self.broadcast(["fogger", "coffin"], "note", "everybody")

    async def do_done(self, seconds: float) -> None:
        self.telemetry("done", seconds + 1)

    async def do_note(self, text: str | None) -> None:
        self.telemetry("note", text)
"""

LEGACY_FOGGER = """\
import asyncio
import json

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_start(self, arg: str | dict | None):
        order = json.loads(arg)
        self.telemetry("fog", order["seconds"])
        await asyncio.sleep(0.01)
        self.command(order["by"], "done", order["seconds"])

    async def do_note(self, arg):
        self.telemetry("note", arg)
"""


async def test_the_dialects_command_each_other(haunt: Haunt, broker: Mosquitto) -> None:
    """A native coordinator commands an asyncio fogger, which commands it back; on the wire both send `{"action": …, "args": …}`."""
    haunt.prop("coffin", NATIVE_COFFIN)
    haunt.prop("fogger", LEGACY_FOGGER)
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        for prop in ("coffin", "fogger"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        await broker.publish("halloween/coffin/cmd", "trigger Eve and Ida")
        await listener.expect_in_order(
            "halloween/coffin/telemetry/trigger Eve and Ida",
            'halloween/fogger/cmd {"action": "start", "args": {"seconds": 2.5, "by": "coffin"}}',
            "halloween/fogger/telemetry/fog 2.5",
            'halloween/coffin/cmd {"action": "done", "args": 2.5}',
            "halloween/coffin/telemetry/done 3.5",
        )
        for prop in ("coffin", "fogger"):
            await listener.expect(f'halloween/{prop}/cmd {{"action": "note", "args": "everybody"}}')
            await listener.expect(f"halloween/{prop}/telemetry/note everybody")


NATIVE_COUNTER = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.begun = []
        self.all_begun = anyio.Event()

    async def do_count(self, number: int):
        self.begun.append(number)
        if len(self.begun) == 1000:
            self.telemetry("begun", self.begun)
            self.all_begun.set()
        await self.all_begun.wait()
        self.begun.remove(number)
        if not self.begun:
            self.telemetry("ended", "all")
"""

LEGACY_COUNTER = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.begun = []
        self.all_begun = asyncio.Event()

    async def do_count(self, arg):
        self.begun.append(int(arg))
        if len(self.begun) == 1000:
            self.telemetry("begun", self.begun)
            self.all_begun.set()
        await self.all_begun.wait()
        self.begun.remove(int(arg))
        if not self.begun:
            self.telemetry("ended", "all")
"""


@pytest.mark.parametrize(
    "source", [pytest.param(NATIVE_COUNTER, id="native"), pytest.param(LEGACY_COUNTER, id="legacy")]
)
async def test_1000_commands_start_in_their_order(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """Handlers start in the order their commands arrived, and each runs though the 999 others all wait for the last."""
    haunt.prop("counter", source)
    async with broker.listen("halloween/counter/#") as listener, haunt.host(broker) as host:
        await listener.expect("halloween/counter/status/availability online", within_s=30)
        await publish_lines(broker, "halloween/counter/cmd", [f"count {number}" for number in range(1000)])
        begun = await listener.expect(beginning("halloween/counter/telemetry/begun "), within_s=30)
        assert ast.literal_eval(begun.payload.decode()) == list(range(1000))
        await listener.expect("halloween/counter/telemetry/ended all")
        assert not host.matching("error"), host.matching("error")


async def publish_lines(broker: Mosquitto, topic: str, lines: list[str]) -> None:
    """One connection, one message a line, QoS 1, in order."""
    command = [program("mosquitto_pub"), *broker.client_options(), "-t", topic, "-q", "1", "-l"]
    await trio.run_process(command, stdin="".join(f"{line}\n" for line in lines).encode(), stderr=subprocess.STDOUT)


ENDLESS_NATIVE = """\
import threading

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_fire(self, arg: str | None) -> None:
        self.telemetry("fire", "begins")
        await anyio.sleep_forever()

    def do_block(self, arg: str | None) -> None:
        self.telemetry("block", "begins")
        threading.Event().wait()

    def do_blink(self) -> None:
        self.telemetry("blink", threading.current_thread() is threading.main_thread())

    async def do_stop(self) -> None:
        self.telemetry("stop", "done")
"""

ENDLESS_LEGACY = """\
import asyncio
import threading

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_fire(self, arg):
        self.telemetry("fire", "begins")
        await asyncio.sleep(3600)

    def do_block(self, arg):
        self.telemetry("block", "begins")
        threading.Event().wait()

    def do_blink(self, arg):
        self.telemetry("blink", str(threading.current_thread() is threading.main_thread()).lower())

    async def do_stop(self, arg):
        self.telemetry("stop", "done")
"""


@pytest.mark.parametrize(
    "source", [pytest.param(ENDLESS_NATIVE, id="native"), pytest.param(ENDLESS_LEGACY, id="legacy")]
)
async def test_a_handler_that_never_ends_delays_nobody(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """While async and plain handlers never end, the next commands run at once, and another worker's too."""
    haunt.prop("lamp", source)
    haunt.prop("other", ENDLESS_NATIVE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker, WORKER_STOP_TIMEOUT_S="0.5"):
        for prop in ("lamp", "other"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        for _ in range(3):
            await broker.publish("halloween/lamp/cmd", "fire")
            await broker.publish("halloween/lamp/cmd", "block")
            await listener.expect("halloween/lamp/telemetry/fire begins")
            await listener.expect("halloween/lamp/telemetry/block begins")
        await broker.publish("halloween/lamp/cmd", "blink")
        await listener.expect("halloween/lamp/telemetry/blink false")
        await broker.publish("halloween/lamp/cmd", "stop")
        await listener.expect("halloween/lamp/telemetry/stop done")
        await broker.publish("halloween/other/cmd", "blink")
        await listener.expect("halloween/other/telemetry/blink false")
        assert not [line for line in heard_of(listener, "lamp") if "error" in line]
