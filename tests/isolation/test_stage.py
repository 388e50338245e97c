"""A rehearsal knows one process: an isolated class runs there beside the others."""

from __future__ import annotations

import os

from halloween_host import BaseWorker
from halloween_host.testing import rehearsal, rehearse


class Hermit(BaseWorker):
    isolate = True

    async def do_process(self) -> int:
        return os.getpid()


class Guest(BaseWorker):
    async def do_knock(self) -> None:
        self.telemetry("process", await self.ask("hermit", "process"))


@rehearsal
async def test_an_isolated_class() -> None:
    """It answers from this very process, in virtual time."""
    async with rehearse({"hermit": Hermit, "guest": Guest}) as show:
        await show.expect("hermit/status/availability", "online")
        await show.expect("guest/status/availability", "online")
        show.send("guest", "knock")
        await show.expect("guest/telemetry/process", os.getpid())
