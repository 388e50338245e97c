"""`reload`: a worker goes on with its files as they are now, or with its old code when they are wrong."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, PropArgument, TimeoutOption
from halloween_host.cli._orders import order

__all__ = ["reload_"]


async def reload_(prop: PropArgument, /, *, timeout: TimeoutOption = 120.0, broker: BrokerOption = None) -> int:
    """Load one worker's files again, and restart it with them.

    They are imported and its config is checked while the old code runs on. When
    that fails, or the new code does not start, the old code runs. A prop that is
    new, or did not load, starts. Waits until it is online.

    Exit status: 0 done; 1 failed, or no broker; 2 wrong use; 3 refused; 4 no
    answer in time.
    """
    return await order("reload", prop, done=f"{prop} is online with its new code", timeout_s=timeout, broker=broker)
