"""The journal of a stage: what its thread does is done in the event loop's thread at its virtual moment, so one seed is one night."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from halloween_host.store import Journal, Listener

__all__ = ["StageJournal"]


class StageJournal(Journal):
    """Make it inside Trio. `later` (seconds, what) calls something in the loop's thread once so much virtual time has passed."""

    def __init__(
        self, file: Path | None, listener: Listener, later: Callable[[float, Callable[[], None]], None]
    ) -> None:
        super().__init__(file, listener)
        self._later = later
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._armed = False

    def hurry(self) -> None:
        super().hurry()
        if self._hurried:
            self._in_loop(lambda: self._later(0, self._write_now))

    def close(self, timeout_s: float) -> bool:
        with self.lock:
            self._closing = True
        self._turn()
        self._drop()
        return self._settled

    def kill(self) -> None:
        """Write no more, as after SIGKILL."""
        with self.lock:
            self._closing = True
        self._drop()

    def _start(self) -> None:
        if not self._armed and not self._closing:
            self._armed = True
            self._in_loop(lambda: self._later(self._pause_s, self._write_in_turn))

    def _in_loop(self, act: Callable[[], None]) -> None:
        if threading.get_ident() == self._loop_thread:
            act()
            return
        with suppress(trio.RunFinishedError):  # a thread that outlived the rehearsal
            self._token.run_sync_soon(act)

    def _write_in_turn(self) -> None:
        self._armed = False
        self._write_now()

    def _write_now(self) -> None:
        if self._closing:
            return
        self._turn()
        with self.lock:
            if not self._settled:
                self._start()
