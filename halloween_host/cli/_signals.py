"""The first SIGINT or SIGTERM asks the host to stop, the second ends the process at once, and a deadline stands behind both.

Plain signal handlers, no task that waits for a signal: an import or a worker that blocks the event loop blocks such a task too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

import structlog
import trio

from halloween_host.cli._leaving import LAST_WORDS_S, authors_frame, leave
from halloween_host.worker import shown_place

__all__ = ["Signals"]

#: From the signal to the end of the process: the workers' deadline and 2 s, of which a tenth is left to the kernel.
_GRACE_S: Final = 1.9 - LAST_WORDS_S
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_log: Final = structlog.stdlib.get_logger()


class Signals:
    """Open it inside Trio, in the main thread; `stop` is called there at the first signal, once `started` was.

    Before that, while workers are imported and the embedded broker comes up, a signal is a KeyboardInterrupt.
    It is the `task_status` for `Host.run`. `first` is the number of the first signal, None before it.
    """

    def __init__(self, stop: Callable[[], None], *, stop_timeout_s: float) -> None:
        self.first: int | None = None
        self._stop = stop
        self._deadline_s = stop_timeout_s + _GRACE_S
        self._up = False
        self._relayed = False
        self._came = threading.Event()
        self._main = threading.main_thread().ident or 0
        self._process = os.getpid()

    def __enter__(self) -> Self:
        self._token = trio.lowlevel.current_trio_token()
        # Started now and not by the handler: a handler may interrupt a Thread.start() whose lock it would wait for.
        threading.Thread(target=self._enforce, name="stop deadline", daemon=True).start()
        self._before = {signum: signal.signal(signum, self._take) for signum in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A host that has been asked to stop stays under the second signal's threat to the end of its process.
        if self.first is None:
            for signum, before in self._before.items():
                signal.signal(signum, before)

    def started(self, value: object = None) -> None:
        """The workers are being started: from here on there is something to end in good order."""
        self._up = True

    def _take(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a child that a worker forked (multiprocessing) ends like any other process
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        if self._relayed:
            self._relayed = False
        elif self.first is not None:
            os._exit(128 + signum)
        else:
            self.first = signum
            self._came.set()
        if self._up:
            self._token.run_sync_soon(self._ask)
        elif signum == signal.SIGTERM:
            # What imports the workers takes a KeyboardInterrupt for the operator's only when SIGINT came.
            self._relayed = True
            signal.raise_signal(signal.SIGINT)
        else:
            trios = self._before[signal.SIGINT]
            assert callable(trios)
            trios(signum, frame)

    def _ask(self) -> None:
        assert self.first is not None
        _log.info(f"{signal.Signals(self.first).name}: stopping; a second one ends at once")
        self._stop()

    def _enforce(self) -> None:
        """Ends the process when the event loop does not, because a worker's code never gives it back."""
        self._came.wait()
        time.sleep(self._deadline_s)
        leave(1, self._name_what_blocks)

    def _name_what_blocks(self) -> None:
        authors = authors_frame(sys._current_frames().get(self._main))
        if authors is None:
            _log.error(f"the host did not end in {self._deadline_s:.1f} s and is ended")
        else:
            worker, frame = authors
            where = shown_place(frame.f_code.co_filename, frame.f_lineno)
            _log.error(f"blocks the host ({where}) and is left behind; `offline` could not be sent", worker=worker)
