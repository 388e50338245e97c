"""A heartbeat: the smallest prop that does something, there to see that the host, the broker and your tools work."""

from __future__ import annotations

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self) -> None:
        await super().start()
        self.mode = "idle"
        self.spawn(self._ticker)

    async def _ticker(self) -> None:
        tick = 0
        while True:
            self.telemetry("tick", tick)
            tick += 1
            await anyio.sleep(self.config.get("tick_interval", 5))

    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg or "ok")

    async def do_set_mode(self, arg: str | None) -> None:
        self.mode = (arg or "").strip() or "idle"
        self.telemetry("mode", self.mode)

    async def do_fire(self, milliseconds: int | None) -> None:
        milliseconds = 500 if milliseconds is None else milliseconds
        self.telemetry("event", f"fire start {milliseconds}ms")
        await anyio.sleep(milliseconds / 1000)
        self.telemetry("event", "fire end")
