"""A tally of tasks knows those of one loop: `asyncio.all_tasks(loop)` goes through the tasks of every loop there is.

With a thousand workers that is a million looks at each of the steps in which they end.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, ClassVar, Final

from halloween_host.legacy._cpython import tasks_alive

__all__ = ["Tally"]


class _Ref(weakref.ref[asyncio.Task[Any]]):
    """Stands in the tally of its task's loop and in `_KNOWN`, until its task is gone."""

    __slots__ = ("tally",)

    tally: dict[_Ref, None]


#: All tasks that were noted, whatever their loop.
_KNOWN: Final[dict[_Ref, None]] = {}


def _forget(ref: weakref.ref[asyncio.Task[Any]]) -> None:
    assert isinstance(ref, _Ref)
    del ref.tally[ref], _KNOWN[ref]


class Tally:
    """The tasks of a loop: those that were noted, those of `running`, and, should anybody have made one past both, that too."""

    #: How many tasks of all loops are in somebody's `running`.
    running_count: ClassVar[int] = 0

    def __init__(self) -> None:
        #: Tasks that somebody else puts in and takes out, and counts unless they are noted here too.
        self.running: dict[Any, asyncio.Task[Any]] = {}
        self._noted: dict[_Ref, None] = {}

    def note(self, task: asyncio.Task[Any]) -> None:
        ref = _Ref(task, _forget)
        ref.tally = self._noted
        self._noted[ref] = _KNOWN[ref] = None

    def unfinished(self, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
        """Those of `loop` that have not ended, in no order."""
        if tasks_alive() != len(_KNOWN) + Tally.running_count:
            return [task for task in asyncio.all_tasks(loop) if not task.done()]
        return [task for task in dict.fromkeys((*self._alive(), *self.running.values())) if not task.done()]

    def close(self) -> None:
        """The loop has ended: nobody takes out of `running` what never began."""
        Tally.running_count -= len({*self.running.values()}.difference(self._alive()))
        self.running.clear()

    def _alive(self) -> list[asyncio.Task[Any]]:
        return [task for ref in list(self._noted) if (task := ref()) is not None]
