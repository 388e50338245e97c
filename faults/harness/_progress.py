"""A line for each fault: how often it was done, of how many times, and for how long."""

from __future__ import annotations

import sys

from benchmarks.harness._progress import minutes, say
from faults.harness._run import Reach

#: Where a log takes the lines, it gets so many of each fault.
_LOG_LINES = 10


def show(reach: Reach) -> None:
    """On a terminal in place, else from time to time."""
    every = max(1, reach.times // _LOG_LINES)
    if sys.stderr.isatty() or reach.done % every == 0 or reach.done == reach.times:
        say(f"{reach.fault.name} · {reach.done:,} of {reach.times:,} · {minutes(reach.elapsed_s)}")
