"""`start`: a worker that was stopped, or gave up, runs again."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, PropArgument, TimeoutOption
from halloween_host.cli._orders import order

__all__ = ["start_"]


async def start_(prop: PropArgument, /, *, timeout: TimeoutOption = 60.0, broker: BrokerOption = None) -> int:
    """Start one worker that was stopped or has given up.

    Waits until it is online.

    Exit status: 0 done; 1 failed, or no broker; 2 wrong use; 3 refused; 4 no
    answer in time.
    """
    return await order("start", prop, done=f"{prop} is online", timeout_s=timeout, broker=broker)
