"""A command costs few steps of Trio's and few calls from the socket to its answer, alone and in a flood, in both dialects."""

from __future__ import annotations

from typing import Final

import pytest
import trio

from tests.counts.conftest import NAMES, House
from tests.counts.meters import counting
from tests.counts.wire import Phone

ALONE: Final = 200
FLOOD: Final = 5_000

NATIVE: Final = """
    from halloween_host import BaseWorker

    class Worker(BaseWorker):
        async def do_ping(self, arg):
            self.telemetry("pong", arg)
"""
ASYNCIO: Final = """
    from worker_host.base import BaseWorker

    class Worker(BaseWorker):
        async def do_ping(self, arg):
            self.telemetry("pong", arg)
"""
BOTH: Final = pytest.mark.parametrize("source", [NATIVE, ASYNCIO], ids=["native", "asyncio"])


@BOTH
async def test_a_command_on_its_own(house: House, source: str) -> None:
    """It wakes the host once, and what follows until the answer is out is a few turns of the loop, none of which sleeps."""
    async with house(source) as phone:
        with counting() as cost:
            await trio.to_thread.run_sync(phone.ask, NAMES[0], "ping 1", ALONE)
    # Six steps: the reader's, the bridge's, the worker's, the sender's (twice: it looks for room), the writer's. Five turns of
    # the loop have a system call each; beside them are the read, the write, and what arms the next wake-up.
    cost.check(ALONE, calls=650, system=9, steps=7, sleeps=1.5)


@BOTH
async def test_a_command_in_a_flood(house: House, source: str) -> None:
    """What is done once a batch (reading, waking, writing) is shared by so many that a command's own share is next to nothing."""
    async with house(source) as phone:
        with counting() as cost:
            await trio.to_thread.run_sync(flood, phone, FLOOD)
    # A hundred calls of Python's and C's functions from the socket to the socket. What is shared by a batch depends on how the
    # broker's pieces come: a few hundredths of a system call each, and three times that is no rise.
    cost.check(FLOOD, calls=140, system=0.08, steps=0.2, sleeps=0.02)


def flood(phone: Phone, commands: int) -> None:
    """Command all props at once, one after another in turn, and hear all answers."""
    phone.command(*((NAMES[number % len(NAMES)], f"ping {number}") for number in range(commands)))
    phone.hear(commands)
