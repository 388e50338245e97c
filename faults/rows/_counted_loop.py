"""An asyncio loop that says when each of its callbacks has returned, as Trio says it of each step of a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, TypeVarTuple

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["CountedLoop"]

Ts = TypeVarTuple("Ts")


class CountedLoop(asyncio.SelectorEventLoop):
    """Each callback is a moment: a step of a task, and what makes one due (a ready socket, a thread's answer, a timer).

    asyncio runs nothing but callbacks, and all that tasks and anyio hand to the loop goes through the methods below,
    so that none is missed. No task runs when a moment is told: each stands where it will be cancelled. A coroutine
    that counted its own steps would speak too early, while its task still runs; such a task is passed by when anyio
    cancels its scope, and cancelled one turn of the loop later. Steps alone would leave moments out: between what
    makes a task due and that task's own step asyncio lets others cancel it, and an answer that has come may then be
    lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: list[Callable[[], object]] = []

    @contextmanager
    def tell(self, moment: Callable[[], object]) -> Iterator[None]:
        """While open, `moment` is called after each callback."""
        self._told.append(moment)
        try:
            yield
        finally:
            self._told.remove(moment)

    def _run(self, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        callback(*args)
        for moment in self._told:
            moment()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(self._run, callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon_threadsafe(self._run, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when, self._run, callback, *args, context=context)

    def add_reader(self, fd: FileDescriptorLike, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        super().add_reader(fd, self._run, callback, *args)

    def add_writer(self, fd: FileDescriptorLike, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        super().add_writer(fd, self._run, callback, *args)
