"""What waits takes a known number of memory blocks, and what is over takes none."""

from __future__ import annotations

import gc
from typing import Final

import pytest
import trio
import trio.testing

from halloween_host.mqtt import Client, Message, ProtocolVersion
from tests.counts.conftest import NAMES, House
from tests.counts.meters import blocks, say
from tests.counts.wire import Phone, Stub, stream_of

MESSAGES: Final = 10_000
COMMANDS: Final = 3_000

#: `hold` and `line` wait for `free`, and of `line` only the first has begun.
NATIVE: Final = """
    import anyio
    from halloween_host import BaseWorker, action

    class Worker(BaseWorker):
        async def start(self):
            await super().start()
            self.freed = anyio.Event()

        async def do_ping(self, arg):
            self.telemetry("pong", arg)

        async def do_hold(self, arg):
            await self.freed.wait()

        @action(mode="queue")
        async def do_line(self, arg):
            await self.freed.wait()

        async def do_free(self, arg):
            self.freed.set()
"""
ASYNCIO: Final = """
    import asyncio
    from worker_host.base import BaseWorker

    class Worker(BaseWorker):
        async def start(self):
            await super().start()
            self.freed = asyncio.Event()

        async def do_ping(self, arg):
            self.telemetry("pong", arg)

        async def do_hold(self, arg):
            await self.freed.wait()

        async def do_free(self, arg):
            self.freed.set()
"""


@pytest.mark.parametrize("version", [ProtocolVersion.V311, ProtocolVersion.V5])
async def test_a_message(version: ProtocolVersion, fast_path: None) -> None:
    """One that waits to be taken is itself and its payload; its topic is everybody's who has the same."""
    held: list[Message] = []
    with Stub(version) as stub:
        async with Client("127.0.0.1", stub.port, protocol=version, keepalive=600) as client:
            with blocks() as more:
                stub.feed(stream_of(MESSAGES, 1, version))
                while len(held) < MESSAGES:
                    held += await client.messages.batch()
                each = more() / MESSAGES
                held.clear()
                left = more() / MESSAGES
    say(f"{each:.2f} blocks a message, {left:.2f} when it is gone")
    # the object, its payload, and its packet identifier, which is an int over 256
    assert each < 3.1
    assert left < 0.02


@pytest.mark.parametrize(
    ("source", "action", "most", "most_garbage"),
    [
        # a Trio task, its coroutine and its context, beside what one that waits has
        pytest.param(NATIVE, "hold", 50.5, 4.4, id="running"),
        # its message, its command and the request that knows what is to be answered
        pytest.param(NATIVE, "line", 8.6, 1.3, id="waiting"),
        # an asyncio task is made in C
        pytest.param(ASYNCIO, "hold", 27.2, 4.1, id="running in asyncio"),
    ],
)
async def test_a_command(house: House, source: str, action: str, most: float, most_garbage: float) -> None:
    """One that runs is little more than its task; one that waits its turn has none. Those that are over leave nothing behind."""

    def crowd(phone: Phone) -> None:
        phone.command(*((NAMES[0], f"{action} {number}") for number in range(COMMANDS)))
        phone.ask(NAMES[0], "ping 1")  # answered after all that came before had its turn

    def disperse(phone: Phone) -> None:
        phone.command((NAMES[0], "free"))
        phone.ask(NAMES[0], "ping 2")

    async with house(source) as phone:
        with blocks() as more:
            await trio.to_thread.run_sync(phone.ask, NAMES[1], "ping 3")
            before = more()
            await trio.to_thread.run_sync(crowd, phone)
            each = (more() - before) / COMMANDS
            await trio.to_thread.run_sync(disperse, phone)
            await trio.testing.wait_all_tasks_blocked()
            garbage = (more() - before) / COMMANDS
            gc.collect()
            left = (more() - before) / COMMANDS
    say(f"{each:.2f} blocks a command, {garbage:.2f} for the collector when it is over, {left:.2f} after it")
    assert each < most
    assert garbage < most_garbage  # objects that refer to each other: the collector's pauses come of these
    assert left < 1
