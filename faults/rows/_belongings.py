"""What this process has: what there is more of after a cancelled operation than before was leaked by it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import attrs
from trio._core._thread_cache import THREAD_CACHE

__all__ = ["leaving_nothing", "live_tasks", "more_tasks"]

#: Seconds within which a thread that was given up has closed its socket and ended.
GIVEN_UP_S: Final = 5.0


def live_tasks() -> list[str]:
    """The names of all tasks of this run, the event loop's own included, sorted."""
    return sorted(str(task.name) for task in anyio.get_running_tasks())


def more_tasks(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Of the tasks `after`, those that were not there `before`."""
    return [f"task {name}" for name in (Counter(after) - Counter(before)).elements()]


@attrs.frozen
class _Belongings:
    """Tasks of this run; threads and open files of this process."""

    tasks: tuple[str, ...]
    threads: frozenset[threading.Thread]
    open_files: int

    @classmethod
    def now(cls) -> _Belongings:
        """As they are."""
        open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 # as a Path each would take ten times as long
        return cls(tuple(live_tasks()), frozenset(threading.enumerate()) - _idle(), open_files)

    def beyond(self, before: _Belongings) -> list[str]:
        """What is here and was not `before`, a text for each."""
        return [*more_tasks(before.tasks, self.tasks), *self.outside_tasks(before)]

    def outside_tasks(self, before: _Belongings) -> list[str]:
        """`beyond`, of what no event loop waits for."""
        more = [f"thread {each.name}" for each in self.threads - before.threads]
        files = self.open_files - before.open_files
        return [*more, f"{files} open files"] if files > 0 else more


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[list[str]]:
    """What is still there of what began inside, told once it is left."""
    left: list[str] = []
    before = _Belongings.now()
    yield left
    now = _Belongings.now()
    deadline = anyio.current_time() + GIVEN_UP_S
    while now.outside_tasks(before) and anyio.current_time() < deadline:
        await anyio.sleep(0.001)
        now = _Belongings.now()
    left += now.beyond(before)


def _idle() -> set[threading.Thread]:
    """Threads that Trio, or anyio under asyncio, keeps for its next call: one that was given a call is none of them."""
    kept = {worker._thread for worker in list(THREAD_CACHE._idle_workers)}
    return kept.union(*(getattr(each, "idle_workers", ()) for each in threading.enumerate()))
