"""A host on a leash stops in good order when its parent is gone, however that went: SIGKILL too.

The leash is our end of a pipe whose other end nobody else holds: it closes with him. (PR_SET_PDEATHSIG is Linux's alone, and
lost at a change of user.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["LEASH", "hang_on_leash"]

#: The environment's name for the descriptor.
LEASH: Final = "HALLOWEEN_HOST_LEASH"


def hang_on_leash(stop_within_s: float, leave: Callable[[int], object]) -> None:
    """If there is a leash: ask ourselves to stop when the parent is gone, and ``leave(1)`` when that takes longer than it may."""
    descriptor = os.environ.pop(LEASH, "")
    try:
        os.set_inheritable(leash := int(descriptor), False)  # whom we start is not to hold it
    except (ValueError, OSError):
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            os.read(leash, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(stop_within_s)
        leave(1)

    threading.Thread(target=watch, name="leash", daemon=True).start()
