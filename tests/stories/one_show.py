"""One rehearsal with faults, threads and chance; prints its transcript: ``python -m tests.stories.one_show SEED``."""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid

import anyio
import trio
from trio.testing import MockClock

from halloween_host import BaseWorker
from halloween_host.errors import CommandFailed
from halloween_host.testing import Show, rehearse
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["transcript"]


class Native(BaseWorker):
    async def start(self) -> None:
        await super().start()
        for number in range(3):
            self.spawn(self._tick, number)

    async def _tick(self, number: int) -> None:
        while True:
            await anyio.sleep(random.uniform(0.1, 2))
            self.telemetry(f"tick/{number}", random.random())

    async def do_ask(self, arg: str) -> None:
        try:
            self.telemetry("answer", await self.ask("legacy", "think", arg))
        except CommandFailed as error:
            self.telemetry("answer", str(error))

    def do_think(self, arg: str) -> str:
        time.sleep(random.uniform(0, 0.002))
        self.telemetry("thought", {"a": 1, "set": sorted({"x", "y", arg}), "id": uuid.uuid4().hex})
        return arg * 2

    async def do_fail(self) -> None:
        raise OSError("no relay")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


class Legacy(AsyncioWorker):
    async def start(self) -> None:
        await super().start()
        for number in range(3):
            self.spawn(self._tick(number))
        self.spawn(self._gather())

    async def _tick(self, number: int) -> None:
        while True:
            await asyncio.sleep(random.uniform(0.1, 2))
            self.telemetry(f"tick/{number}", random.random())

    async def _gather(self) -> None:
        while True:
            names = await asyncio.gather(*(asyncio.to_thread(self._name, number) for number in range(4)))
            self.telemetry("names", " ".join(names))
            await asyncio.wait([asyncio.create_task(asyncio.sleep(random.random())) for _ in range(4)])

    def _name(self, number: int) -> str:
        return f"{number}-{uuid.uuid5(uuid.NAMESPACE_DNS, str(number)).hex[:4]}"

    async def do_think(self, arg: str | None) -> str:
        await asyncio.sleep(random.random())
        if random.random() < 0.3:
            raise ValueError("no idea")
        return f"{arg}?"

    def do_slow(self, arg: str | None) -> None:
        time.sleep(0.002)
        self.telemetry("slow", "over")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


def _do_something(show: Show, chance: random.Random, number: int) -> None:
    what, broker = chance.randrange(12), show.broker
    if not broker.is_up:
        return
    match what:
        case 0 | 1 | 2:
            show.send("native", "ask", f"q{number}")
        case 3 | 4:
            show.send("native", "think", f"t{number}", id=number)
        case 5:
            show.send("legacy", "slow", id=number, ttl=5)
        case 6:
            show.crash(chance.choice(["native", "legacy"]))
        case 7:
            broker.down(for_s=chance.uniform(0.1, 8), forget=chance.random() < 0.5)
        case 8 if broker.connected:
            broker.drop(chance.choice(broker.connected))
        case 9 if broker.connected:
            broker.cut(chance.choice(broker.connected), for_s=3)
        case 10:
            broker.stall(for_s=1)
        case 11:
            show.send("native", "fail", id=f"f{number}")


async def _show(seed: int) -> str:
    chance = random.Random(f"faults {seed}")
    async with rehearse({"native": Native, "legacy": Legacy, "lamp": BaseWorker}, seed=seed) as show:
        for number in range(40):
            await show.run_for(chance.uniform(0, 4))
            _do_something(show, chance, number)
        await show.run_for(20)
        show.panic("the end")
        await show.run_for(5)
        show.rearm()
        await show.run_for(20)
    return str(show.transcript)


def transcript(seed: int) -> str:
    """All that happened, as text."""
    return trio.run(_show, seed, clock=MockClock())


if __name__ == "__main__":
    sys.stdout.write(transcript(int(sys.argv[1])))
