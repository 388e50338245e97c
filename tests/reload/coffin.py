"""A coffin's files, to be edited while it is on stage, and what `reload` answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from halloween_host import topics
from halloween_host.testing import Show, rehearse

__all__ = ["LEGACY", "NATIVE", "Coffin", "answer", "dialects", "done", "on_stage", "reload"]

NATIVE: Final = """
import anyio
import attrs
from halloween_host import BaseWorker, action
from .words import WORD

@attrs.frozen
class Config:
    lid: int = 0

class Worker(BaseWorker[Config]):
    async def start(self):
        await super().start()
        self.telemetry("word", f"{WORD} {self.settings.lid}")

    @action(cooldown=100)
    async def do_open(self):
        self.telemetry("opened", WORD)

    async def do_count(self):
        self.store["count"] = self.store.get("count", 0) + 1
        return self.store["count"]

    async def stop(self):
        self.telemetry("stopped", WORD)
        await super().stop()

    async def safe(self):
        self.status("safe", WORD)
"""
LEGACY: Final = """
import asyncio
from worker_host.base import BaseWorker
from .words import WORD

loop = asyncio.get_event_loop()

class Worker(BaseWorker):
    async def start(self):
        await super().start()
        assert asyncio.get_running_loop()
        self.telemetry("word", f"{WORD} {self.config.get('lid', 0)}")

    async def do_open(self, arg):
        self.telemetry("opened", WORD)

    async def do_count(self, arg):
        self.store["count"] = self.store.get("count", 0) + 1
        return self.store["count"]

    async def stop(self):
        self.telemetry("stopped", WORD)
        await super().stop()
"""
dialects = pytest.mark.parametrize("source", [NATIVE, LEGACY], ids=["native", "asyncio"])


class Coffin:
    """Its files."""

    def __init__(self, props: Path, source: str) -> None:
        self.props = props
        self.backend = props / "coffin" / "backend"
        self.backend.mkdir(parents=True)
        self.worker = self.write("worker.py", source)
        self.write("words.py", "WORD = 'old'\n")

    def write(self, name: str, text: str) -> Path:
        path = self.backend / name
        path.write_text(text)
        return path


@asynccontextmanager
async def on_stage(coffin: Coffin, **options: Any) -> AsyncIterator[Show]:
    """It runs its old code."""
    async with rehearse(coffin.props, **options) as show:
        await show.expect("coffin/status/availability", "online")
        assert (await show.expect("coffin/telemetry/word")).startswith("old")
        yield show


async def reload(show: Show, outcome: str, prop: str = "coffin") -> dict[str, Any]:
    """Send it; its last ack, which has this outcome."""
    show.send(topics.HOST, "reload", prop)
    return await answer(show, outcome, "reload")


async def answer(show: Show, outcome: str, command: str) -> dict[str, Any]:
    def fits(text: str) -> bool:
        ack = json.loads(text)
        return bool(ack["outcome"] != "accepted" and ack["command"] == command)

    ack: dict[str, Any] = json.loads(await show.expect(topics.HOST_ACK, fits, within_s=200))
    assert ack["outcome"] == outcome, ack
    return ack


async def done(show: Show, action: str, id: int) -> Any:
    """The prop's result."""
    show.send("coffin", action, id=id)
    text = await show.expect("coffin/ack", lambda text: json.loads(text)["outcome"] != "accepted")
    ack = json.loads(text)
    assert (ack["id"], ack["outcome"]) == (id, "done"), ack
    return ack["result"]
