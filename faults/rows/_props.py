"""The same worker in both dialects: rows do their faults to either."""

from __future__ import annotations

from typing import Final

#: Answers `ping`.
LAMP: Final = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""
_TO_LEGACY: Final = {
    "import anyio": "import asyncio",
    "from halloween_host import": "from worker_host.base import",
    "self.spawn(self._tick)": "self.spawn(self._tick())",
    "self.spawn(self._bomb, number)": "self.spawn(self._bomb(number))",
    "self.spawn(self._group, number)": "self.spawn(self._group(number))",
    "anyio.create_task_group()": "asyncio.TaskGroup()",
    "group.start_soon(self._bomb, number)": "group.create_task(self._bomb(number))",
    "anyio.sleep": "asyncio.sleep",
}


def legacy(source: str) -> str:
    """The native `source` as an author of 2025 writes it."""
    for native, old in _TO_LEGACY.items():
        source = source.replace(native, old)
    return source


def both(source: str, number: int) -> str:
    """Native or asyncio, in turn by `number`."""
    return legacy(source) if number % 2 else source
