"""The guard hears STOP by threads of its own, because a worker may block the event loop that all others need."""

from __future__ import annotations

from halloween_host.guard._guard import BLOCKED, PANIC_TAKEN_S, Guard, HostRequest
from halloween_host.guard._panics import encode_panic, panic_arguments, panic_for, read_panic

__all__ = [
    "BLOCKED",
    "PANIC_TAKEN_S",
    "Guard",
    "HostRequest",
    "encode_panic",
    "panic_arguments",
    "panic_for",
    "read_panic",
]
