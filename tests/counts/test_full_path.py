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


@pytest.mark.parametrize(("source", "turns"), [(NATIVE, 1), (ASYNCIO, 2)], ids=["native", "asyncio"])
async def test_a_command_on_its_own(house: House, source: str, turns: int) -> None:
    """It wakes the host once; a native handler that cannot wait has answered when the step that read its command ends."""
    async with house(source) as phone:
        with counting() as cost:
            await trio.to_thread.run_sync(phone.ask, NAMES[0], "ping 1", ALONE)
    # Each turn of the loop looks for events; beside that are the read, the write, and what arms the next wake-up. What a handler in
    # a turn of its own costs more is a hundred calls. What else goes on in the host meanwhile is a few hundredths of each.
    cost.check(ALONE, calls=155 + 95 * turns, system=3.1 + turns, steps=turns + 0.1, sleeps=1.1)


@BOTH
async def test_a_command_in_a_flood(house: House, source: str) -> None:
    """What is done once a batch (reading, waking, writing) is shared by so many that a command's own share is next to nothing."""
    async with house(source) as phone:
        with counting() as cost:
            await trio.to_thread.run_sync(flood, phone, FLOOD)
    # A hundred calls of Python's and C's functions from the socket to the socket. What is shared by a batch depends on how the
    # broker's pieces come: a few hundredths of a system call each, and twice that is no rise.
    cost.check(FLOOD, calls=120, system=0.08, steps=0.09, sleeps=0.004)


def flood(phone: Phone, commands: int) -> None:
    """Command all props at once, one after another in turn, and hear all answers."""
    phone.command(*((NAMES[number % len(NAMES)], f"ping {number}") for number in range(commands)))
    phone.hear(commands)
