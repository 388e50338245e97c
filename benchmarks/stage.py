"""How long a night takes on the rehearsal stage: 5 hours, 50 props of both dialects, 100,000 messages.

    python -m benchmarks.stage [--props 50] [--hours 5] [--messages 100000]

Every prop ticks, and a phone commands them one after another; each command is answered by telemetry. It prints the messages that
the stage's broker saw, the virtual and the real seconds, and real microseconds a message.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import anyio
import trio
from trio.testing import MockClock

from halloween_host import BaseWorker
from halloween_host.testing import BrokerEvent, rehearse
from worker_host.base import BaseWorker as AsyncioWorker


class Native(BaseWorker):
    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick)

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await anyio.sleep(10)

    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg)


class Legacy(AsyncioWorker):
    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick())

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await asyncio.sleep(10)

    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg)


async def night(props: int, hours: float, messages: int) -> None:
    """Run the night and print what it took."""
    seen = 0

    def count(event: BrokerEvent) -> None:
        nonlocal seen
        seen += event.kind == "publish"

    names = [f"prop{number}" for number in range(props)]
    cast = {name: (Native if number % 2 else Legacy) for number, name in enumerate(names)}
    ticks = int(props * hours * 360)
    commands = max(0, (messages - ticks) // 2)
    pause_s = hours * 3600 / max(1, commands)
    began = time.monotonic()
    async with rehearse(cast) as show:
        show.broker.observers.append(count)
        for number in range(commands):
            show.send(names[number % props], "ping", number)
            await show.run_for(pause_s)
        virtual_s = show.now
    took_s = time.monotonic() - began
    sys.stdout.write(f"{props} props, {seen:,} messages, {virtual_s / 3600:.2f} h of virtual time\n")
    sys.stdout.write(f"{took_s:.1f} s real, {took_s / seen * 1e6:.0f} µs a message\n")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--props", type=int, default=50)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    trio.run(night, options.props, options.hours, options.messages, clock=MockClock())


if __name__ == "__main__":
    main()
