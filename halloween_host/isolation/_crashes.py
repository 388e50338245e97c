"""Why a process ended, in words: its exit status, and where it stood when a signal ended it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

from halloween_host.isolation._logs import Relay

__all__ = ["describe_end"]

#: A process has ended itself with a status above it, or was ended by the signal of that number beyond it.
_SIGNALLED: Final = 128


def describe_end(status: int, log: Relay, folder: Path) -> str:
    """``its process was ended by SIGSEGV in do_open() (props/coffin/backend/worker.py:12)``."""
    names = {one.value: one.name for one in signal.Signals}
    if status > _SIGNALLED and status - _SIGNALLED in names:
        how = f"was ended by {names[status - _SIGNALLED]}"
    else:
        how = f"ended with status {status}"
    place = log.place_of_death(folder)
    return f"its process {how}{f' {place}' if place else ''}"
