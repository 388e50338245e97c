"""What goes wrong in an asyncio worker's code and what nobody looked at is told to its supervisor, also after its instance's end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

import structlog
import trio

from halloween_host.legacy._places import name_of_coroutine
from halloween_host.worker import Reports

__all__ = ["Complaints"]

_log: Final = structlog.stdlib.get_logger()


class Complaints:
    """Callable from whichever thread; made in Trio's.

    It knows no instance: the loop has it as its exception handler as long as anybody has the loop, and the loop of a first
    instance is beyond the garbage collector's reach.
    """

    def __init__(self, prop_id: str, worker_class: type, reports: Reports) -> None:
        self._prop_id = prop_id
        self._worker_class = worker_class
        self._reports = reports
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    def report(self, name: str, error: BaseException) -> None:
        """What a handler raised."""
        if threading.get_ident() != self._thread:
            self.soon(self.report, name, error)
        elif isinstance(error, Exception):
            self._reports.failed(name, error)
        else:
            self._reports.crashed(f"do_{name}" if hasattr(self._worker_class, f"do_{name}") else name, error)

    def unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: what an author's own task or callback raised and nobody looked at."""
        error, task = context.get("exception"), context.get("task") or context.get("future")
        name = str(context.get("message", "asyncio"))
        if isinstance(task, asyncio.Task):
            given = task.get_name()  # start, safe, …: ours have one, asyncio's own names tell nothing
            name = f"task {name_of_coroutine(task.get_coro())}" if given.startswith("Task-") else given
        if isinstance(error, SystemExit | KeyboardInterrupt):
            return  # it left the iteration, and `on_crash` said so
        if error is not None:
            self.report(name, error)
        else:
            _log.warning(f"asyncio: {context.get('message')}", worker=self._prop_id)

    def soon(self, function: Callable[..., object], *args: Any) -> None:
        """Call it in Trio's thread."""
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError:  # a thread that outlived the host: nobody is left to tell
            _log.error(f"dropped after the host's end: {args!r}", worker=self._prop_id)
