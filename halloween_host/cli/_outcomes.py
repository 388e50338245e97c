"""What became of a command is one exit status: 0 done, 1 failed or cancelled, 3 refused, 4 no answer in time."""

from __future__ import annotations

from typing import Final

from halloween_host.acks import Ack
from halloween_host.cli._complaints import complain
from halloween_host.cli._printing import put
from halloween_host.payloads import as_text

__all__ = ["DONE", "FAILED", "REFUSED", "SILENT", "status_of", "tell"]

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 3
SILENT: Final = 4

_STATUSES: Final = {"done": DONE, "failed": FAILED, "cancelled": FAILED, "refused": REFUSED}


def status_of(ack: Ack) -> int:
    """The exit status for the last word on a command."""
    return _STATUSES[ack.outcome]


def tell(ack: Ack, who: str, *, done: str = "done") -> int:
    """Say it, results on stdout and all else on stderr; the exit status. `done` stands for a result that is null."""
    if ack.outcome == "done":
        put(done if ack.result is None else as_text(ack.result) or "")
        if ack.error:
            complain(f"{who}: {ack.error}")
    else:
        what = f" {ack.command}" if ack.command else ""
        complain(f"{who} {ack.outcome}{what}: {ack.error or 'no reason given'}")
    return status_of(ack)
