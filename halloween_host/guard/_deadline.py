"""What ends a process whose GIL an extension never gives back: a thread of C, which dumps all stacks and calls _exit(1).

No Python thread runs there any more, so its end is set beforehand, as soon as the event loop wakes, and put off while it turns.
"""

from __future__ import annotations

import faulthandler
import math
import sys
import time
from typing import Final

__all__ = ["Deadline"]

#: Seconds that the watchdog's look may come late, and its own last words may take.
MARGIN_S: Final = 1.0


class Deadline:
    """Strikes `seconds` after the last step began, or a fifth and a second later at most, once it was `set`.

    Later, because who shares his GIL is to be ended by the watchdog itself. Each setting ends a thread and starts one (50 µs),
    so `put_off` does it once in a tenth of the time. A process that is stopped for so long (SIGSTOP, `docker pause`) is struck
    when it goes on: `clear` it while the loop waits.
    """

    def __init__(self, seconds: float) -> None:
        self._every_s = seconds / 10
        self._seconds = seconds + 2 * self._every_s + MARGIN_S
        self._set_at = -math.inf
        self._works = math.isfinite(seconds) and sys.__stderr__ is not None

    def set(self) -> None:
        if self._works:
            self._set_at = time.monotonic()
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=2)

    def put_off(self, began: float) -> None:
        """A step began then (`time.monotonic()`): the loop turns, or did."""
        if began - self._set_at >= self._every_s:
            self.set()

    def clear(self) -> None:
        if self._works:
            faulthandler.cancel_dump_traceback_later()
