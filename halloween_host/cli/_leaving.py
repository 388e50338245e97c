"""The process ends when it was asked to, with its status, whatever threads and exit functions of authors still do."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import Final, NoReturn

import structlog

from halloween_host.logs import escape
from halloween_host.worker import shown_place

__all__ = ["LAST_WORDS_S", "authors_frame", "end", "end_by_bug", "leave", "let_go_of_stdout"]

#: Seconds that last words and exit functions may take together, when we do not wait for the rest.
LAST_WORDS_S: Final = 0.3

_log: Final = structlog.stdlib.get_logger()


def end(status: int) -> NoReturn:
    """End in the usual way; past threads that are no daemons, which are named: the interpreter would wait for them."""
    if _living():
        leave(status)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_stdout()
    sys.exit(status)


def leave(status: int, say: Callable[[], None] | None = None) -> NoReturn:
    """End now, from any thread: `say`, name what is left behind, run the exit functions, flush; 0.3 s for all of it.

    Exit functions run because of gpiozero and its like, which let go of their pins there: a relay must not stay on
    because some other prop refused to end.
    """

    def last_words() -> None:
        if say is not None:
            say()
        for thread in _living():
            _name_left_behind(thread)
        atexit._run_exitfuncs()  # as multiprocessing calls it in its own children
        sys.stdout.flush()
        sys.stderr.flush()

    try:
        # In a thread, because a pipe that nobody reads, or a lock that a stuck thread holds, would hold us too.
        words = threading.Thread(target=last_words, name="last words", daemon=True)
        words.start()
        words.join(LAST_WORDS_S)
    finally:
        os._exit(status)


def end_by_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    """A `sys.excepthook`: a bug of ours shows its traceback and ends the process, also past threads that live on."""
    if issubclass(kind, KeyboardInterrupt):
        leave(130)
    with contextlib.suppress(OSError, ValueError):
        for line in "".join(traceback.format_exception(kind, error, trace)).rstrip("\n").split("\n"):
            print(escape(line), file=sys.stderr)  # noqa: T201 (what it quotes may have come over the broker)
    leave(1)


def let_go_of_stdout() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a complaint at the interpreter's end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def authors_frame(frame: FrameType | None) -> tuple[str, FrameType] | None:
    """The innermost frame that stands in a worker's module, with that worker's name."""
    while frame is not None:
        root, _, rest = str(frame.f_globals.get("__name__", "")).partition(".")
        if root in ("props", "halloween_builtins") and rest:
            return rest.partition(".")[0], frame
        frame = frame.f_back
    return None


def _living() -> list[threading.Thread]:
    """The threads that the interpreter would wait for."""
    frames = sys._current_frames()
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon
        and thread not in (threading.main_thread(), threading.current_thread())
        and not _idles(frames.get(thread.ident or 0))
    ]


def _idles(frame: FrameType | None) -> bool:
    """Whether it is a ThreadPoolExecutor's thread that waits for work: the interpreter sends it home."""
    return (
        frame is not None
        and frame.f_code.co_name == "_worker"
        and PurePath(frame.f_code.co_filename).parts[-3:] == ("concurrent", "futures", "thread.py")
    )


def _name_left_behind(thread: threading.Thread) -> None:
    frame = sys._current_frames().get(thread.ident or 0)
    if (authors := authors_frame(frame)) is not None:
        worker, frame = authors
        facts = {"worker": worker}
    else:
        facts = {}
    where = ""
    if frame is not None:
        where = f" in {frame.f_code.co_name}() ({shown_place(frame.f_code.co_filename, frame.f_lineno)})"
    _log.warning(f"thread {thread.name!r} still runs{where}: left behind", **facts)
