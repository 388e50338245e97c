"""The worker that our host runs in the rows, as authors of 2025 wrote it."""

from __future__ import annotations

import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    """Answers each command with the number that it carries."""

    async def do_blink(self, arg: str | None) -> None:
        self.telemetry("blink", arg)

    async def do_pause(self, arg: str | None) -> None:
        await asyncio.sleep(0)
        self.telemetry("blink", arg)

    async def do_stream(self, arg: str | None) -> None:
        for number in range(int(arg or 0)):
            self.telemetry("blink", number)
            if number % 100 == 99:
                await asyncio.sleep(0)
