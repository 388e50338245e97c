"""A flag is a `trio.Event` in a third of the memory: a thousand workers have ten each, and wait for one of them all night."""

from __future__ import annotations

from functools import partial

import trio

__all__ = ["Flag"]


class Flag:
    """As `trio.Event`, without a set of waiters and a closure for each."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[trio.lowlevel.Task] | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, None
        for task in waiting or ():
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Return once it is set; a checkpoint in any case."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
            return
        task = trio.lowlevel.current_task()
        if self._waiting is None:
            self._waiting = [task]
        else:
            self._waiting.append(task)
        await trio.lowlevel.wait_task_rescheduled(partial(self._forget, task))

    def _forget(self, task: trio.lowlevel.Task, _raise: object) -> trio.lowlevel.Abort:
        assert self._waiting is not None, "a task that was rescheduled is not cancelled any more"
        self._waiting.remove(task)
        return trio.lowlevel.Abort.SUCCEEDED
