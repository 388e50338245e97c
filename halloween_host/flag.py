"""A flag is a `trio.Event` in a third of the memory: a thousand workers have ten each, and wait for one of them all night."""

from __future__ import annotations

from functools import partial
from typing import Final

import trio

__all__ = ["PASSED", "Flag"]


class Flag:
    """As `trio.Event`, without a set of waiters and a closure for each; most flags have one waiter at most."""

    __slots__ = ("_first", "_is_set", "_others")

    def __init__(self) -> None:
        self._is_set = False
        self._first: trio.lowlevel.Task | None = None
        self._others: tuple[trio.lowlevel.Task, ...] = ()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        first, others = self._first, self._others
        self._first, self._others = None, ()
        if first is not None:
            trio.lowlevel.reschedule(first)
        for task in others:
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Return once it is set; a checkpoint in any case."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
        elif self._first is None:
            self._first = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._forget_first)
        else:
            task = trio.lowlevel.current_task()
            self._others = (*self._others, task)
            await trio.lowlevel.wait_task_rescheduled(partial(self._forget, task))

    def _forget_first(self, _raise: object) -> trio.lowlevel.Abort:
        self._first = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def passed(self) -> None:
        """As `wait`, and no checkpoint when it is set."""
        if not self._is_set:
            await self.wait()

    def _forget(self, task: trio.lowlevel.Task, _raise: object) -> trio.lowlevel.Abort:
        self._others = tuple(each for each in self._others if each is not task)
        return trio.lowlevel.Abort.SUCCEEDED


#: Set for good: what a flag is for which nobody has waited yet, one for all.
PASSED: Final = Flag()
PASSED.set()
