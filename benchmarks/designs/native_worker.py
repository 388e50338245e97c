"""The worker that our host runs in the rows, native."""

from __future__ import annotations

import anyio.lowlevel

from halloween_host import BaseWorker


class Worker(BaseWorker):
    """Answers each command with the number that it carries."""

    async def do_blink(self, arg: str | None) -> None:
        self.telemetry("blink", arg)

    async def do_pause(self, arg: str | None) -> None:
        await anyio.lowlevel.checkpoint()
        self.telemetry("blink", arg)

    async def do_stream(self, arg: int) -> None:
        for number in range(arg):
            self.telemetry("blink", number)
            if number % 100 == 99:
                await anyio.lowlevel.checkpoint()
