"""`restart`: one worker ends and starts anew, whatever it was doing."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, PropArgument, TimeoutOption
from halloween_host.cli._orders import order

__all__ = ["restart_"]


async def restart_(prop: PropArgument, /, *, timeout: TimeoutOption = 60.0, broker: BrokerOption = None) -> int:
    """Restart one worker, at once.

    Its `stop()` runs, then a new instance starts; a back-off that runs is cut
    short. Waits until it is online.

    Exit status: 0 done; 1 failed, or no broker; 2 wrong use; 3 refused; 4 no
    answer in time.
    """
    return await order("restart", prop, done=f"{prop} is online again", timeout_s=timeout, broker=broker)
