"""A cancellation at a chosen moment: after the n-th step that any task takes while an operation is under way."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import trio

from faults.harness._rows import FaultError

__all__ = ["Injector", "armed", "injected", "live_tasks", "only_our_threads"]

#: Tasks of the rehearsal stage itself, whose steps are no moments of the product's.
STAGE_TASKS: Final = ("virtual time",)
#: Seconds within which a cancelled operation has unwound.
UNWIND_S: Final = 20.0


class Injector(trio.abc.Instrument):
    """Calls `act` once, right after the `at`-th step (from 1) that a task takes while it is installed.

    By then the task is parked where it waits next, so that a cancelled scope is cancelled at that very checkpoint, and every other
    task stands where it stood.
    """

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.steps = 0
        self._at = at
        self._act = act

    @property
    def done(self) -> bool:
        """Whether `act` was called."""
        return self.steps >= self._at

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name in STAGE_TASKS:
            return
        self.steps += 1
        if self.steps == self._at:
            self._act()


@contextmanager
def armed(injector: Injector) -> Iterator[Injector]:
    """While open, steps are counted."""
    trio.lowlevel.add_instrument(injector)
    try:
        yield injector
    finally:
        trio.lowlevel.remove_instrument(injector)


async def injected(at: int, operation: Callable[[], Awaitable[object]]) -> bool:
    """Run `operation` in a scope that is cancelled after its `at`-th step; False when it ended before that.

    Raises:
        FaultError: when it does not end in time, cancelled or not.
    """
    with trio.CancelScope() as scope, armed(Injector(at, scope.cancel)) as injector:
        with trio.move_on_after(UNWIND_S) as patience:
            await operation()
    if patience.cancelled_caught:
        raise FaultError(f"the operation did not end in {UNWIND_S:g} s, cancelled at its step {at}")
    return injector.done


def live_tasks() -> list[str]:
    """The names of all tasks of this run, Trio's own included, sorted."""
    root = trio.lowlevel.current_root_task()
    names: list[str] = []
    waiting = [root] if root is not None else []
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return sorted(names)


def only_our_threads() -> set[threading.Thread]:
    """Threads that somebody started and that live: Trio keeps idle ones for the next call, which are none of ours."""
    return {each for each in threading.enumerate() if not each.name.startswith("Trio thread")}
