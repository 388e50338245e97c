"""The last words of a host are acknowledged before its connections close, while the broker is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import structlog
import trio

from halloween_host.bridge import Bridge
from halloween_host.presence import Presence

__all__ = ["FLUSH_S", "say_farewell"]

#: Seconds for the last words to be acknowledged.
FLUSH_S: Final = 0.6

_log: Final = structlog.stdlib.get_logger()


async def say_farewell(bridge: Bridge, presences: Sequence[Presence], end_by: float) -> None:
    """Wait for what still waits to go out, and for the `presences` to leave; about until `end_by`, on Trio's clock."""
    if not bridge.subscribed:
        _log.warning("the broker is away: it could not be told that the workers are offline")
        return
    for presence in presences:
        presence.leave()
    # a broker that takes the words of thousands, and gets on, may take as long as the workers could have taken
    owed = math.inf
    while bridge.owed < owed:
        owed = bridge.owed
        with trio.move_on_after(FLUSH_S) as scope:
            await bridge.flush()
            for presence in presences:
                await presence.gone.wait()
        if not scope.cancelled_caught or trio.current_time() + FLUSH_S > end_by:
            break
    if scope.cancelled_caught:
        _log.warning(f"the broker did not acknowledge the last messages in {FLUSH_S:g} s")
