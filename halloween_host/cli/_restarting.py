"""`run --restart` is a small process that runs the same `run` as its child, and another one when that was not meant to end.

The child hangs on a leash, a pipe that only we hold: it stops in good order when that closes, however we went. It stands in a
session of its own, so that a Ctrl-C at the terminal reaches us alone; we pass it on, as any signal, once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

import structlog

from halloween_host.backoff import RETRY_S, RestartBudget
from halloween_host.cli._leash import LEASH
from halloween_host.errors import InvalidSettings
from halloween_host.latch import Latch, PanicRecord
from halloween_host.logs import configure_logging
from halloween_host.program import same_program
from halloween_host.settings import Settings, load_settings

__all__ = ["keep_running"]

#: After these a new child starts: 1 and 70 (see `run`), and any signal that we did not send.
_RESTARTED: Final = (1, 70)
#: These ask for the end, and no new child follows; SIGUSR1 is a panic.
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PASSED_ON: Final = (*_ENDING, signal.SIGUSR1)

_log: Final = structlog.stdlib.get_logger()


def keep_running(arguments: Sequence[str]) -> int:
    """Run `arguments`, a `run`, until it ended for good; its exit status, 128 + the signal's number when a signal ended it."""
    try:
        settings = load_settings(os.environ)
    except InvalidSettings:
        settings = Settings()  # the child says what is wrong, and ends with 2
    configure_logging(settings.log_level, settings.log_format)
    return _Keeping([*same_program(), *arguments], Latch(settings.state_dir)).run()


class _Keeping:
    def __init__(self, command: Sequence[str], latch: Latch) -> None:
        self._command = command
        self._latch = latch
        self._child: subprocess.Popen[bytes] | None = None
        self._asked: int | None = None
        self._ended = threading.Event()
        self._budget = RestartBudget()

    def run(self) -> int:
        for signum in _PASSED_ON:
            if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup(1)
                signal.signal(signum, self._pass_on)
        attempt = -1
        while self._asked is None:
            began = time.monotonic()
            status = self._run_once()
            if self._asked is not None or (status >= 0 and status not in _RESTARTED):
                return status if status >= 0 else 128 - status
            attempt = attempt + 1 if time.monotonic() - began < RETRY_S else 0
            delay_s = self._budget.delay(attempt, time.monotonic())
            if status == -signal.SIGUSR1:  # it was not up yet, and nobody heard the panic
                self._remember_panic()
            how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
            _log.error(f"the host ended {how}: restarts in {delay_s:.1f} s")
            self._ended.wait(delay_s)
        return 128 + self._asked

    def _run_once(self) -> int:
        """The status of one child; negative: the signal that ended it."""
        leash, ours = os.pipe()
        environ = {**os.environ, LEASH: str(leash)}
        try:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, pass_fds=[leash], env=environ, start_new_session=True
            )
            os.close(leash)
            if self._asked is not None:  # it came while the child was being made
                self._child.send_signal(self._asked)
            return self._child.wait()
        finally:
            self._child = None
            os.close(ours)

    def _pass_on(self, signum: int, _frame: FrameType | None) -> None:
        if signum in _ENDING:
            self._asked = signum
            self._ended.set()
        if self._child is not None:
            self._child.send_signal(signum)
        elif signum == signal.SIGUSR1:
            self._remember_panic()

    def _remember_panic(self) -> None:
        """Nothing runs that could be stopped: the next host starts latched, and runs every safe()."""
        self._latch.engage(PanicRecord(time.time(), "SIGUSR1", "signal"))
