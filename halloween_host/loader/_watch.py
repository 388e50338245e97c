"""While a worker's file is imported, the operator is told when that takes long, and Ctrl-C stays the operator's."""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from halloween_host.loader._discovery import Found

__all__ = ["SLOW_S", "interrupts", "watched"]

#: Seconds an import may take without a line about it.
SLOW_S: Final = 2.0


@contextmanager
def watched(found: Found, progress: Callable[[str], None]) -> Iterator[None]:
    """Tell `progress` of a body that takes over `SLOW_S`: while it runs (from a thread of ours) and when it is over."""
    started = time.monotonic()
    loading = threading.get_ident()
    told = threading.Event()
    context = contextvars.copy_context()

    def tell() -> None:
        told.set()
        context.run(progress, f"loading {found.name} takes long: {_where(found, loading)} runs for {SLOW_S:g} s now")

    timer = threading.Timer(SLOW_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # its line stands before the closing one
        if told.is_set():
            progress(f"loading {found.name} took {time.monotonic() - started:.1f} s")


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether SIGINT came: only then is a KeyboardInterrupt more than a worker's own."""
    came = False
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous) or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    inner = previous

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        inner(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, previous)


def _where(found: Found, thread: int) -> str:
    """The innermost line of the author's that the thread stands in."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(found.root):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return str(found.path)
