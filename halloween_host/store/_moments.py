"""What is left of a span that began before this process did, on a machine whose clock may start in 1970 and jump."""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["Moment", "remaining_s"]

#: 1 January 2025: a clock that shows less has not been set.
CLOCK_IS_SET: Final = 1_735_689_600.0


@attrs.frozen
class Moment:
    """`wall` in Unix seconds, `ticks` in seconds that only grow while the machine is up, `boot` names that time ("": unknown)."""

    wall: float
    ticks: float
    boot: str


def remaining_s(began: Moment, now: Moment, length_s: float) -> float:
    """From 0 to `length_s`, never less than is really left as far as these clocks can tell; all of it when they cannot.

    Within one boot the ticks tell, whatever became of the wall clock meanwhile. Over a boot it is the wall clock's word, and
    it has none when it was not set, or runs backwards.
    """
    if began.boot and began.boot == now.boot and began.ticks <= now.ticks:
        gone_s = now.ticks - began.ticks
    elif CLOCK_IS_SET <= began.wall <= now.wall:
        gone_s = now.wall - began.wall
    else:
        return length_s
    return max(0.0, length_s - gone_s)
