"""Handlers of every mode, which say when they begin and when they have ended."""

from __future__ import annotations

from typing import Any

import anyio

from halloween_host import action

__all__ = ["Handlers"]


class Handlers:
    """Each says when it begins and when it has ended, whatever ends it."""

    telemetry: Any

    async def _work(self, name: str, seconds: float = 10) -> str:
        self.telemetry("begins", name)
        try:
            await anyio.sleep(seconds)
            return f"did {name}"
        finally:
            self.telemetry("ended", name)

    async def do_parallel(self, arg: str) -> str:
        return await self._work(arg)

    @action(mode="drop")
    async def do_drop(self, arg: str) -> str:
        return await self._work(arg)

    @action(mode="queue")
    async def do_queue(self, arg: str) -> str:
        return await self._work(arg)

    @action(mode="restart")
    async def do_restart(self, arg: str) -> str:
        return await self._work(arg)

    @action(cooldown=15.0)
    async def do_cool(self, arg: str) -> str:
        return await self._work(arg, 1)

    @action(mode="queue", cooldown=15.0)
    async def do_cool_queue(self, arg: str) -> str:
        return await self._work(arg, 20)

    @action(timeout=60.0)
    async def do_slow(self, arg: str) -> str:
        return await self._work(arg, 100)

    @action(mode="drop", cooldown=30.0)
    async def do_stop(self, arg: str) -> str:
        return await self._work(arg)
