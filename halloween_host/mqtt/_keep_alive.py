"""Signs of life of many connections share their moments, so that an idle host sleeps on."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["SHARED_FROM_S", "SHARED_S", "shared_due_s"]

#: With a keep-alive of so many seconds or more, signs of life are due at whole multiples of `SHARED_S` on the clock, so that
#: many connections share a wake-up.
SHARED_FROM_S: Final = 4
SHARED_S: Final = 0.5


def shared_due_s(due_s: float, now: float) -> float:
    """Seconds from `now` on its clock to the first whole multiple of `SHARED_S` that is not before `due_s` seconds from now."""
    return math.ceil((now + due_s) / SHARED_S) * SHARED_S - now
