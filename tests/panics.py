"""What the tests of STOP share: workers that must be made safe, and what was said of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio

from halloween_host import BaseWorker, topics
from halloween_host.testing import Show
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["BOTH", "OldValve", "Valve", "lines", "online", "report"]

Cast = dict[str, type[Any]]


class Valve(BaseWorker):
    """Opens for a minute; closes by `safe()`, which tells the firmware."""

    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick)

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await anyio.sleep(1)

    async def do_open(self, arg: str | None) -> None:
        try:
            self.telemetry("valve", "open")
            await anyio.sleep(60)
        finally:
            self.telemetry("valve", "cancelled")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


class OldValve(AsyncioWorker):
    """The same, as 2025 wrote it."""

    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick())

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await asyncio.sleep(1)

    async def do_open(self, arg: str | None) -> None:
        try:
            self.telemetry("valve", "open")
            await asyncio.sleep(60)
        finally:
            self.telemetry("valve", "cancelled")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


BOTH: Cast = {"native": Valve, "legacy": OldValve}


def lines(show: Show, part: str) -> list[str]:
    return [line[14:] for line in str(show.transcript).splitlines() if part in line]


async def online(show: Show, *props: str) -> None:
    for prop in props:
        await show.expect(f"{prop}/status/availability", "online")


async def report(show: Show, **wanted: object) -> dict[str, Any]:
    """The next complete report."""

    def complete(text: str) -> bool:
        found = json.loads(text)
        return found["took_ms"] is not None and all(found[key] == value for key, value in wanted.items())

    found: dict[str, Any] = json.loads(await show.expect(topics.HOST_PANIC, complete))
    return found
