"""A cancellation at a chosen moment: after the n-th step that any task takes while an operation is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TypeAlias

import anyio
import trio

from faults.harness._rows import FaultError
from faults.rows._counted_loop import CountedLoop

__all__ = ["Cancellation", "Injector", "Swallowed", "armed", "by_scope", "by_task", "injected"]

#: Tasks of the rehearsal stage itself, whose steps are no moments of the product's.
STAGE_TASKS: Final = ("virtual time",)
#: Seconds within which a cancelled operation has unwound.
UNWIND_S: Final = 20.0

#: Around an operation; what it yields cancels that, from outside of any task.
Cancellation: TypeAlias = Callable[[], AbstractContextManager[Callable[[], object]]]


class Swallowed(Exception):
    """An operation ended as if nothing had been, though its task was told to end: it will never hear of it again."""


class Injector(trio.abc.Instrument):
    """Calls `act` once, right after the `at`-th step (from 1) that a task takes while it is armed.

    By then the task is parked where it waits next, so that a cancelled scope is cancelled at that very checkpoint,
    and every other task stands where it stood. Under asyncio each callback of the loop is a step (`CountedLoop`).
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
        if task.name not in STAGE_TASKS:
            self.step()

    def step(self) -> None:
        """One more was taken."""
        self.steps += 1
        if self.steps == self._at:
            self._act()


@contextmanager
def armed(injector: Injector) -> Iterator[Injector]:
    """While open, steps are counted: Trio's, also where an asyncio loop is its guest, else those of a `CountedLoop`."""
    if trio.lowlevel.in_trio_run():
        trio.lowlevel.add_instrument(injector)
        try:
            yield injector
        finally:
            trio.lowlevel.remove_instrument(injector)
    else:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountedLoop)
        with loop.tell(injector.step):
            yield injector


@contextmanager
def by_scope() -> Iterator[Callable[[], object]]:
    """A cancel scope around the operation, which tells it again at each of its checkpoints."""
    with anyio.CancelScope() as scope:
        yield scope.cancel


@contextmanager
def by_task() -> Iterator[Callable[[], object]]:
    """asyncio's own `Task.cancel`, which tells the operation once.

    Raises:
        Swallowed: when no CancelledError came out of it.
    """
    task = asyncio.current_task()
    assert task is not None
    try:
        yield task.cancel
    except asyncio.CancelledError:
        if not task.cancelling() or task.uncancel():
            raise  # another's
    else:
        if task.cancelling():
            task.uncancel()
            raise Swallowed


async def injected(at: int, operation: Callable[[], Awaitable[object]], cancellation: Cancellation = by_scope) -> bool:
    """Run `operation` and cancel it after its `at`-th step; False when it ended before that.

    Raises:
        FaultError: when it does not end in time, cancelled or not.
        Swallowed: see `by_task`.
    """
    with cancellation() as cancel, armed(Injector(at, cancel)) as injector:
        with anyio.move_on_after(UNWIND_S) as patience:
            await operation()
    if patience.cancelled_caught:
        raise FaultError(f"the operation did not end in {UNWIND_S:g} s, cancelled at its step {at}")
    return injector.done
