"""What a worker writes or raises past the log lands in it all the same, under the worker's name."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

import structlog

from halloween_host.logs._lines import MAX_TEXT_CHARS
from halloween_host.logs._workers import calling_worker, raising_worker

__all__ = ["capture_prints", "capture_strays"]

_log = structlog.stdlib.get_logger()


@contextmanager
def capture_prints() -> Iterator[None]:
    """While open, lines that workers write to ``sys.stdout`` are log lines at info, those to ``sys.stderr`` at warning.

    A line is complete at its newline; what stands unfinished at the end is logged then. Blank lines are dropped. Writes
    of anyone else pass unchanged. Both streams stay usable by whoever kept them afterwards: they pass everything on.
    """
    out = _WorkerLines(sys.stdout, "info")
    err = _WorkerLines(sys.stderr, "warning")
    try:
        with redirect_stdout(cast("TextIO", out)), redirect_stderr(cast("TextIO", err)):
            yield
    finally:
        out.close_capture()
        err.close_capture()


@contextmanager
def capture_strays() -> Iterator[None]:
    """While open, what ends a worker's own thread, or is raised where nobody can catch it, is a log line at error.

    Python would print a bare traceback. SystemExit ends a thread silently, as always.
    """

    def thread_failed(args: threading.ExceptHookArgs) -> None:
        if not issubclass(args.exc_type, SystemExit):
            report("a thread ended with an error", args, thread=args.thread.name if args.thread else None)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        report(args.err_msg or "an exception that nobody can catch", args, raised_in=args.object)

    def report(event: str, args: Any, **facts: object) -> None:
        worker = raising_worker(args.exc_traceback) or calling_worker()
        named = {} if worker is None else {"worker": worker}
        _log.error(event, **facts, **named, exc_info=args.exc_value)

    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = thread_failed, unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks


class _WorkerLines:
    """A text stream before another: takes workers' lines out for the log, hands everything else on."""

    def __init__(self, stream: TextIO, level: str) -> None:
        self._stream = stream
        self._level = level
        self._open = True
        self._lock = threading.Lock()
        # By worker and thread, because print() writes its parts one by one; at most MAX_TEXT_CHARS and the true length.
        self._unfinished: dict[tuple[str, int], tuple[str, int]] = {}
        self._logging = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        # `busy`: a handler of the worker's own that prints what is logged would turn in a circle
        if not self._open or not isinstance(text, str) or getattr(self._logging, "busy", False):
            return self._stream.write(text)
        worker = calling_worker()
        if worker is None:
            return self._stream.write(text)
        *complete, rest = text.split("\n")
        key = (worker, threading.get_ident())
        for line in complete:
            with self._lock:
                start, chars = self._unfinished.pop(key, ("", 0))
            self._tell(worker, start + line[: MAX_TEXT_CHARS - len(start)], chars + len(line))
        if rest:
            with self._lock:
                start, chars = self._unfinished.get(key, ("", 0))
                self._unfinished[key] = start + rest[: MAX_TEXT_CHARS - len(start)], chars + len(rest)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def close_capture(self) -> None:
        """Log what is unfinished; from now on everything passes."""
        self._open = False
        with self._lock:
            unfinished, self._unfinished = self._unfinished, {}
        for (worker, _), (text, chars) in unfinished.items():
            self._tell(worker, text, chars)

    def _tell(self, worker: str, text: str, chars: int) -> None:
        if not (text := text.rstrip("\r")).strip():
            return
        cut = {"cut_from_chars": chars} if chars > MAX_TEXT_CHARS else {}
        self._logging.busy = True
        try:
            getattr(_log, self._level)(text, worker=worker, **cut)
        finally:
            self._logging.busy = False
