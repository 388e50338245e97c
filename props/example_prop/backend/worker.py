"""The example prop: an asyncio worker, as they were written in 2025. It runs unchanged; new props are better written like the fogger."""

import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self):
        i = 0
        interval = self.config.get("tick_interval", 5)
        try:
            while True:
                self.telemetry("tick", i)
                i += 1
                await asyncio.sleep(interval)
        except asyncio.CancelledError:
            raise

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")

    async def do_fire(self, arg):
        self.command("fogger", "start", arg)
