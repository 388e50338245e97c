"""`spawn` of an asyncio worker: its tasks live in the worker's loop, and one that fails is the worker's crash."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from halloween_host.errors import SpawnError
from halloween_host.legacy._loop import GuestLoop
from halloween_host.legacy._worker import BaseWorker
from halloween_host.worker import Reports

__all__ = ["LegacySpawner"]


class LegacySpawner:
    """The `Spawner` of one instance: what it awaits is awaited inside the worker's loop. `worker` is None before its constructor."""

    def __init__(
        self,
        loop: GuestLoop,
        prop_id: str,
        reports: Reports,
        worker: Callable[[], BaseWorker | None],
        stopped: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._prop_id = prop_id
        self._reports = reports
        self._worker = worker
        self._stopped = stopped
        self._thread = threading.get_ident()
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks of `spawn` that have not ended, and those that an author put into `_tasks` himself."""
        put = getattr(self._worker(), "_tasks", ())
        return [
            each for each in dict.fromkeys((*self._tasks, *put)) if isinstance(each, asyncio.Task) and not each.done()
        ]

    def spawn(self, function: Any, args: tuple[Any, ...]) -> asyncio.Task[Any]:
        """The worker's `spawn`."""
        coroutine = function(*args) if callable(function) else function
        if not inspect.iscoroutine(coroutine):
            raise TypeError(f"spawn() takes a coroutine: self.spawn(self._ticker()), got {type(coroutine).__name__}")
        if threading.get_ident() != self._thread:
            coroutine.close()
            raise SpawnError(self._prop_id, "from a thread")
        name = coroutine.__name__
        task = self._loop.begin(self._guarded(coroutine, name), name, wraps=coroutine)
        self._tasks[task] = None
        tasks = getattr(self._worker(), "_tasks", [])
        (tasks.add if isinstance(tasks, set) else tasks.append)(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel_spawned(self) -> None:
        if asyncio.get_running_loop() is not self._loop:  # asyncio.run(self.stop()) in a plain handler's thread
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.cancel_spawned(), self._loop))
            return
        own = asyncio.current_task()
        tasks = [task for task in self.tasks() if task is not own]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def stopped_itself(self) -> None:
        self._stopped()

    async def _guarded(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Any:
        """`SystemExit` and `KeyboardInterrupt` would leave the loop's iteration: they are the worker's crash, by name."""
        try:
            return await coroutine
        except (SystemExit, KeyboardInterrupt) as error:
            self._reports.crashed(name, error)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        tasks = getattr(self._worker(), "_tasks", [])
        if task in tasks:
            tasks.remove(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._reports.crashed(task.get_name(), error)
