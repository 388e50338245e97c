"""Code belongs to the worker whose task runs it, else to the worker whose module called it.

The supervisor binds ``worker`` with `structlog.contextvars`; a thread started by a worker has no such context, but its
frames stand in modules called ``props.<prop>.…`` or ``halloween_builtins.<name>``.
"""

from __future__ import annotations

import sys
from types import FrameType, TracebackType

from structlog.contextvars import get_contextvars

__all__ = ["calling_worker", "module_worker", "raising_worker"]

_ROOTS = ("props", "halloween_builtins")


def module_worker(module: str) -> str | None:
    """The worker that a module of this name belongs to, None for the host's own and for libraries."""
    root, _, rest = module.partition(".")
    return rest.partition(".")[0] if root in _ROOTS and rest else None


def calling_worker() -> str | None:
    """The worker on whose behalf the caller runs: by context, else by the innermost of its frames."""
    worker = get_contextvars().get("worker")
    if worker is not None:
        return str(worker)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if (found := module_worker(str(frame.f_globals.get("__name__", "")))) is not None:
            return found
        frame = frame.f_back
    return None


def raising_worker(trace: TracebackType | None) -> str | None:
    """The worker in whose module an exception passed last, by its traceback."""
    found = None
    while trace is not None:
        found = module_worker(str(trace.tb_frame.f_globals.get("__name__", ""))) or found
        trace = trace.tb_next
    return found
