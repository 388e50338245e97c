"""Two workers, one of each dialect, whose handlers do what an author may do; what they did is in a book."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from faults.rows._injection import Injector, armed, injected
from halloween_host import BaseWorker
from halloween_host.errors import AskError
from worker_host.base import BaseWorker as AsyncioWorker

__all__ = ["DEEDS", "PAIR", "Book", "troupe"]

#: What `do_act` may do, and is cancelled in.
DEEDS: Final = ("ask", "ask nobody", "ask who refuses", "say", "store", "spawn", "thread")
PAIR: Final = ("left", "right")


@attrs.define
class Book:
    """`at` is the step after which a deed is cancelled; `cancelled`, whether it was by then."""

    at: int = 0
    cancelled: bool = False
    spawned: int = 0
    ended: int = 0


def troupe(book: Book) -> dict[str, type[Any]]:
    """The classes; `coffin` is native, `fogger` an asyncio worker."""

    class Native(BaseWorker):
        async def start(self) -> None:
            await super().start()
            self.spawn(self._tick)

        async def _tick(self) -> None:
            while True:
                self.telemetry("tick", 1)
                await trio.sleep(1)

        async def safe(self) -> None:
            self.command("firmware", "close")
            await trio.sleep(0.1)

        async def do_open(self, seconds: float) -> str:
            await trio.sleep(seconds)
            return "closed"

        async def do_act(self, deed: str) -> None:
            book.cancelled = await injected(
                book.at, lambda: _act(self, deed, trio.sleep, trio.to_thread.run_sync, "fogger")
            )
            await trio.sleep(0.01)
            if deed == "stop":
                return
            await _act(self, deed, trio.sleep, trio.to_thread.run_sync, "fogger")
            self.telemetry("acted", deed)

    class Legacy(AsyncioWorker):
        async def start(self) -> None:
            await super().start()
            self.spawn(self._tick())

        async def _tick(self) -> None:
            while True:
                self.telemetry("tick", 1)
                await asyncio.sleep(1)

        async def safe(self) -> None:
            self.command("firmware", "close")
            await asyncio.sleep(0.1)

        async def do_open(self, arg: str) -> str:
            await asyncio.sleep(float(arg))
            return "closed"

        async def do_act(self, deed: str) -> None:
            loop = asyncio.get_running_loop()
            task = loop.create_task(_act(self, deed, asyncio.sleep, asyncio.to_thread, "coffin"))
            with armed(Injector(book.at, lambda: loop.call_soon_threadsafe(task.cancel))) as injector:
                await asyncio.wait([task])
            book.cancelled = injector.done
            if not task.cancelled():
                task.result()
            await asyncio.sleep(0.01)
            if deed == "stop":
                return
            await _act(self, deed, asyncio.sleep, asyncio.to_thread, "coffin")
            self.telemetry("acted", deed)

    async def _act(
        worker: Any,
        deed: str,
        sleep: Callable[[float], Awaitable[object]],
        in_thread: Callable[[Callable[[], object]], Awaitable[object]],
        other: str,
    ) -> None:
        match deed:
            case "ask":
                if await worker.ask(other, "open", 0.5) != "closed":
                    raise RuntimeError("another's answer")
            case "ask nobody":
                try:
                    await worker.ask("nobody", "open", timeout=0.5)
                except TimeoutError:
                    return
            case "ask who refuses":
                try:
                    await worker.ask(other, "fly", timeout=0.5)
                except AskError:
                    return
            case "say":
                for number in range(3):
                    worker.telemetry("said", json.dumps({"number": number}), qos=1)
                    worker.command("firmware", "light", number, ttl=2)
                    await sleep(0.1)
            case "store":
                for number in range(3):
                    worker.store.update(dict.fromkeys(PAIR, number))
                    await sleep(0)
            case "spawn":
                worker.spawn(_linger(sleep))
                await sleep(0.1)
                await sleep(0.1)
            case "stop":
                await worker.stop()
            case "thread":
                await in_thread(lambda: None)

    async def _linger(sleep: Callable[[float], Awaitable[object]]) -> None:
        book.spawned += 1
        try:
            await sleep(0.05)
        finally:
            book.ended += 1

    return {"coffin": Native, "fogger": Legacy}
