"""What the isolated workers of these tests are."""

from __future__ import annotations

__all__ = ["ASYNCIO", "COFFIN", "TICKER"]

#: Native; it does everything that an isolated worker may do wrong.
COFFIN = '''
import ctypes
import os

from halloween_host import BaseWorker, action


class Worker(BaseWorker):
    isolate = True
    stop_timeout_s = 0.5

    async def start(self):
        await super().start()
        self.store["starts"] = self.store.get("starts", 0) + 1
        self.telemetry("starts", self.store["starts"])
        self.telemetry("notify", os.environ.get("NOTIFY_SOCKET"))
        print("the lid creaks")

    async def stop(self):
        self.telemetry("stopped", True)
        await super().stop()

    async def safe(self):
        self.telemetry("safe", True)

    async def do_ping(self, arg):
        return arg or "pong"

    @action(cooldown=600)
    async def do_rest(self):
        pass

    async def do_null(self):
        ctypes.string_at(0)

    async def do_spin(self):
        self.telemetry("held", "spin")
        while True:
            pass

    async def do_hold(self):
        """Hold the GIL in C for ever: a lock that is taken twice; a sleep would end at the first signal."""
        print("holds on")
        lock = ctypes.PyDLL(None).pthread_mutex_lock
        mutex = ctypes.create_string_buffer(256)
        lock(mutex)
        lock(mutex)

    async def do_ask(self):
        return await self.ask("ticker", "ping", "from coffin")

    async def do_scream(self):
        self.panic("a scream")
'''

#: Native and not isolated: whether somebody else's trouble is its own.
TICKER = """
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, arg):
        return arg or "pong"
"""

#: As it was written for the host of 2025.
ASYNCIO = """
import asyncio
from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._ticker())

    async def _ticker(self):
        while True:
            self.telemetry("tick", 1)
            await asyncio.sleep(60)

    async def do_ping(self, arg):
        self.telemetry("pong", arg or "ok")
"""
