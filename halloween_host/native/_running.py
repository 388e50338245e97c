"""A task of the author's, from its start to its end: its cancel scope, and the line at which it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import attrs
import trio

from halloween_host.worker import Run, shown_place

__all__ = ["Running", "current", "entered"]


@attrs.define(eq=False)
class Running:
    """A task of the author's, from its start to its end; a handler's has its `run`."""

    name: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    task: trio.lowlevel.Task | None = None
    error: BaseException | None = None
    run: Run | None = None

    def where(self) -> str:
        """The name, and the innermost line of the author's at which it stands now."""
        frames = [] if self.task is None else [(frame, line) for frame, line in self.task.iter_await_frames()]
        authors = [each for each in frames if "site-packages" not in each[0].f_code.co_filename]
        if not authors:
            return self.name
        frame, line = authors[-1]
        return f"{self.name} ({shown_place(frame.f_code.co_filename, line)})"


#: Whose code the current task is; children that the author starts inherit it.
current: ContextVar[Running | None] = ContextVar("halloween_host_running", default=None)


@contextmanager
def entered(running: Running, group: dict[Running, None]) -> Iterator[None]:
    """While open, the current task is `running`'s and stands in `group`."""
    group[running] = None
    running.task = trio.lowlevel.current_task()
    current.set(running)
    try:
        yield
    finally:
        group.pop(running, None)
        running.task = None
        running.ended.set()
