"""`stop`: one worker ends and stays so."""

from __future__ import annotations

from halloween_host.cli._options import BrokerOption, PropArgument, TimeoutOption
from halloween_host.cli._orders import order

__all__ = ["stop_"]


async def stop_(prop: PropArgument, /, *, timeout: TimeoutOption = 30.0, broker: BrokerOption = None) -> int:
    """Stop one worker until it is started again.

    Its `stop()` runs and it is offline on purpose. Waits until it is.

    Exit status: 0 done; 1 failed, or no broker; 2 wrong use; 3 refused; 4 no
    answer in time.
    """
    return await order("stop", prop, done=f"{prop} is stopped", timeout_s=timeout, broker=broker)
