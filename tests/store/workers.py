"""Workers of the store's tests, as their files stand in a props folder."""

from __future__ import annotations

__all__ = ["COUNTER", "IDLE", "OLD", "OWN"]

COUNTER = """
import time

import anyio

from halloween_host import BaseWorker, action


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.telemetry("found", self.store.copy())
        self.store["starts"] = self.store.get("starts", 0) + 1

    async def do_count(self):
        n = self.store.get("n", 0)
        while True:
            n += 1
            self.store["n"] = n
            self.telemetry("n", [n, time.time()], qos=1)
            await anyio.sleep(0.002)

    async def do_put(self, value: dict):
        try:
            self.store |= value
            self.telemetry("put", value)
        except TypeError as error:
            self.telemetry("put", str(error))

    def do_thread(self):
        self.store["thread"] = self.store.get("thread", 0) + 1
        self.telemetry("put", "thread")

    async def do_bad(self):
        self.store["bad"] = {1, 2}

    @action(cooldown=3600)
    async def do_fire(self):
        return "fired"

    async def stop(self):
        self.store["stopped"] = True
        await super().stop()

    async def safe(self):
        self.store["safe"] = True
"""
#: As 2025 wrote, with today's store.
OLD = """
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.store["old"] = self.store.get("old", 0) + 1
        self.telemetry("old", self.store["old"])
"""
#: As 2025 wrote, with a store of its own.
OWN = """
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    def __init__(self, prop_id, mqtt, config):
        super().__init__(prop_id, mqtt, config)
        self.store = []

    async def start(self):
        await super().start()
        self.store.append("mine")
        self.telemetry("own", len(self.store))
"""

IDLE = """
import sys
import threading

from halloween_host import BaseWorker, action


class Worker(BaseWorker):
    @action(mode="drop")
    async def do_modules(self):
        self.telemetry("modules", ["sqlite3" in sys.modules, sorted(each.name for each in threading.enumerate())])
"""
