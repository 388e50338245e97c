"""While workers' files are imported, the operator is told when that takes long, and Ctrl-C stays the operator's."""

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
from typing import Final, Self

import attrs

from halloween_host.loader._discovery import Found

__all__ = ["SLOW_S", "Watch", "interrupts", "place_in"]

#: Seconds that an import, or all of a load, may take without a line about it.
SLOW_S: Final = 2.0


@attrs.define
class _Import:
    """One that is under way."""

    found: Found
    context: contextvars.Context = attrs.field(factory=contextvars.copy_context)
    started: float = attrs.field(factory=time.monotonic)
    told: bool = False


class Watch:
    """Tells `progress` of imports that take over `SLOW_S`: while one runs, from a thread of ours, and when it is over.
    And every `SLOW_S` how far a load of many is.

    One thread for all of a load: one for each of a thousand would cost more than their imports.
    """

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._told_at = time.monotonic()
        self._lock = threading.Lock()
        self._import: _Import | None = None
        self._over = threading.Event()
        self._loading = threading.get_ident()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="slow imports", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()

    @contextmanager
    def over(self, found: Found) -> Iterator[None]:
        """The body imports `found`."""
        self._import = current = _Import(found)
        try:
            yield
        finally:
            with self._lock:  # its line stands before the closing one
                self._import = None
            if current.told:
                self._progress(f"loading {found.name} took {time.monotonic() - current.started:.1f} s")

    def loaded(self, count: int, total: int) -> None:
        """So many of all that are to be loaded are."""
        now = time.monotonic()
        if count < total and now - self._told_at >= SLOW_S:
            self._told_at = now
            self._progress(f"loaded {count:,} of {total:,} workers")

    def _run(self) -> None:
        while not self._over.wait(self._look()):
            pass

    def _look(self) -> float:
        """Tell of the import that runs if it is time to; in how many seconds to look again."""
        with self._lock:
            current = self._import
            if current is None or current.told:
                return SLOW_S  # no other can be due before that
            wait_s = current.started + SLOW_S - time.monotonic()
            if wait_s <= 0:
                current.told = True
                where = place_in(current.found, self._loading)
                text = f"loading {current.found.name} takes long: {where} runs for {SLOW_S:g} s now"
                current.context.run(self._progress, text)
            return max(wait_s, 0.0)


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


def place_in(found: Found, thread: int) -> str:
    """The innermost line of the author's that the thread stands in."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(found.root):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return str(found.path)
