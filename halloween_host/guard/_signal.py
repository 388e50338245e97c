"""SIGUSR1 is heard while the main thread is stuck, in C code too, and no child process is made deaf to it.

The alternatives, and why not: a handler of `signal.signal` runs in the main thread between two bytecodes, which a
thread that is stuck in C never reaches; `signal.set_wakeup_fd` belongs to Trio; and for `sigwait` or signalfd the
signal must be blocked in every thread, which each child process inherits (subprocess does not undo it). faulthandler's
handler is C code that runs in whatever the signal interrupts and writes where that stands to a descriptor: ours is a
pipe. Each signal writes a heading and a line for each frame, indented: the headings are counted.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

__all__ = ["SignalPipe"]

#: Python 3.14 would add the C stack, by functions that no signal handler should call (backtrace(3)).
_OPTIONS: Final[dict[str, bool]] = {"c_stack": False} if sys.version_info >= (3, 14) else {}


class SignalPipe:
    """While it is open, `came` is called in a thread of its own for `signum`, which then does not end the process."""

    def __init__(self, came: Callable[[], None], signum: int = signal.SIGUSR1) -> None:
        self._came = came
        self._signum = signum
        self._open = False
        self._thread = threading.Thread(target=self._listen, name="guard signal", daemon=True)

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)  # a full pipe must not hold what the signal interrupted
        self._open = True
        self._thread.start()
        os.register_at_fork(after_in_child=self._let_go)
        faulthandler.register(self._signum, file=self._write, all_threads=False, **_OPTIONS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._let_go()
        os.write(self._write, b"\n")
        self._thread.join(1.0)
        if not self._thread.is_alive():
            os.close(self._read)
            os.close(self._write)

    def _let_go(self) -> None:
        """In a child that was forked (multiprocessing) the signal is the child's, and this pipe our parent's."""
        if self._open:
            self._open = False
            faulthandler.unregister(self._signum)

    def _listen(self) -> None:
        poller = select.poll()
        poller.register(self._read, select.POLLIN)
        at_start = True
        while True:
            poller.poll()
            for line in os.read(self._read, 65_536).splitlines(keepends=True):
                if not self._open:
                    return
                if at_start and not line.startswith(b" "):
                    self._came()
                at_start = line.endswith(b"\n")
