"""A task of the author's, from its start to its end: its cancel scope, and the line at which it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, cast

import trio

from halloween_host.worker import Call, Ended, Run, shown_place

__all__ = ["Handling", "Running", "current", "entered"]


class Running(Run):
    """A task of the author's, from its start to its end."""

    # What a handler that never waits does not touch stands on the class: there is one a command.
    name: str
    scope: trio.CancelScope
    error: BaseException | None = None
    #: What it awaits, while it does.
    coroutine: Any = None
    #: The handler's, when this is the task of a thread.
    run: Run | None = None
    _gone = False
    _ended_event: trio.Event | None = None

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.scope = trio.CancelScope()

    @property
    def ended(self) -> trio.Event:
        """Set at its end; made for the first who waits for that."""
        if self._ended_event is None:
            self._ended_event = trio.Event()
            if self._gone:
                self._ended_event.set()
        return self._ended_event

    def leave(self, group: dict[Running, None]) -> None:
        """It has ended, and stands in `group` no more."""
        group.pop(self, None)
        self.coroutine = None
        self._gone = True
        if self._ended_event is not None:
            self._ended_event.set()

    def where(self) -> str:
        """The name, and the innermost line of the author's at which it stands now."""
        # Trio's walk along what awaits what asks nothing of a task but its `coro`
        walk = trio.lowlevel.Task.iter_await_frames(cast(trio.lowlevel.Task, SimpleNamespace(coro=self.coroutine)))
        authors = [each for each in walk if "site-packages" not in each[0].f_code.co_filename]
        if not authors:
            return self.name
        frame, line = authors[-1]
        return f"{self.name} ({shown_place(frame.f_code.co_filename, line)})"


class Handling(Running):
    """A handler, from the command for it to its end; it has a `scope` once it began."""

    def __init__(self, call: Call, ended: Ended | None, timeout_s: float | None) -> None:
        Run.__init__(self, ended, timeout_s)
        self.name = f"do_{call.action}"
        self.call = call

    @property
    def late(self) -> bool:
        """Whether its time is over; nobody who asked it to end before is told so."""
        return not self.asked and trio.current_time() >= self.scope.deadline


#: Whose code the current task is; children that the author starts inherit it.
current: ContextVar[Running | None] = ContextVar("halloween_host_running", default=None)


@contextmanager
def entered(running: Running, group: dict[Running, None]) -> Iterator[None]:
    """While open, the current task is `running`'s and stands in `group`."""
    group[running] = None
    running.coroutine = trio.lowlevel.current_task().coro
    current.set(running)
    try:
        yield
    finally:
        running.leave(group)
