"""Who holds the event loop is read off the stack of its thread: the worker, its handler, the line; else the task."""

from __future__ import annotations

import linecache
import sys
from types import FrameType
from typing import Final

import attrs
import trio

from halloween_host.worker import shown_place

__all__ = ["Culprit", "find_culprit", "waits"]

_AUTHORS: Final = ("props", "halloween_builtins")
#: Characters of a source line.
LINE_CHARS: Final = 200


@attrs.frozen
class Culprit:
    """The worker in whose code the event loop's thread stands, and where: ``props/fogger/backend/worker.py:31``.

    `prop_id` is None for the host itself. `entry` is what was called: a handler, `start`, a spawned task's function.
    """

    prop_id: str | None
    place: str
    entry: str
    line: str

    @property
    def short(self) -> str:
        """``in do_fire() (props/fogger/backend/worker.py:31)``."""
        return f"in {self.entry} ({self.place})"

    @property
    def where(self) -> str:
        """With the source line: ``in do_fire() (props/fogger/backend/worker.py:31): time.sleep(5)``."""
        return f"{self.short}: {self.line}" if self.line else self.short


def find_culprit(thread: int) -> Culprit | None:
    """Who blocks this thread (its `ident`), None when there is no such thread."""
    stack = _stack(sys._current_frames().get(thread))
    if not stack:
        return None
    authors = [frame for frame in stack if _worker_of(frame) is not None]
    if authors:
        inner, entry = authors[0], authors[-1]
        return Culprit(_worker_of(entry), _place(inner), f"{entry.f_code.co_name}()", _source(inner))
    inner = stack[0]
    task = next((task for frame in stack if (task := _task_of(frame)) is not None), None)
    name = f"{inner.f_code.co_name}()" if task is None else f"task {task.name}"
    return Culprit(_bound_worker(task), _place(inner), name, _source(inner))


def waits(thread: int) -> bool:
    """Whether the event loop's thread waits for the system: then it is idle and not blocked."""
    frame = sys._current_frames().get(thread)
    return (
        frame is not None
        and frame.f_code.co_name == "get_events"
        and str(frame.f_globals.get("__name__")).startswith("trio._core._io_")
    )


def _stack(frame: FrameType | None) -> list[FrameType]:
    """From the innermost frame outwards."""
    stack = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    return stack


def _worker_of(frame: FrameType) -> str | None:
    root, _, rest = str(frame.f_globals.get("__name__", "")).partition(".")
    return rest.partition(".")[0] if root in _AUTHORS and rest else None


def _task_of(frame: FrameType) -> trio.lowlevel.Task | None:
    """The task whose step Trio runs in this frame, if that is what the frame does."""
    if frame.f_code.co_name != "unrolled_run" or frame.f_globals.get("__name__") != "trio._core._run":
        return None
    task = frame.f_locals.get("task")
    return task if isinstance(task, trio.lowlevel.Task) else None


def _bound_worker(task: trio.lowlevel.Task | None) -> str | None:
    """Whose task it is; its context cannot be entered from here, as it is entered there."""
    for variable, value in () if task is None else task.context.items():
        if variable.name == "structlog_worker" and value is not ...:  # structlog's word for: not bound any more
            return str(value)
    return None


def _place(frame: FrameType) -> str:
    return shown_place(frame.f_code.co_filename, frame.f_lineno)


def _source(frame: FrameType) -> str:
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_globals).strip()
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 1]}…"
