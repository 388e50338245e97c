"""`rearm`: after a panic, the workers start anew."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, TimeoutOption
from halloween_host.cli._orders import order

__all__ = ["rearm_"]


async def rearm_(*, timeout: TimeoutOption = 10.0, broker: BrokerOption = None) -> int:
    """Start the workers again after a panic.

    Look at every prop first. A worker that hung in the panic stays offline until
    its old tasks have ended or the host restarts.

    Exit status: 0 done; 1 failed, or no broker; 2 wrong use; 3 refused; 4 no
    answer in time.
    """
    return await order("rearm", None, done="rearmed: the workers start anew", timeout_s=timeout, broker=broker)
