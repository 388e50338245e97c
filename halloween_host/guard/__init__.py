"""The guard hears STOP by threads of its own, because a worker may block the event loop that all others need."""

from __future__ import annotations

from halloween_host.guard._culprits import Culprit
from halloween_host.guard._guard import BLOCKED, PANIC_TAKEN_S, Guard, HostRequest
from halloween_host.guard._panics import encode_panic, panic_arguments, panic_for, read_panic
from halloween_host.guard._reach import EVERYBODY, Reach
from halloween_host.guard._watchdog import Blame, Watchdog

__all__ = [
    "BLOCKED",
    "EVERYBODY",
    "PANIC_TAKEN_S",
    "Blame",
    "Culprit",
    "Guard",
    "HostRequest",
    "Reach",
    "Watchdog",
    "encode_panic",
    "panic_arguments",
    "panic_for",
    "read_panic",
]
