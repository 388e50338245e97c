"""How long the host is up goes out every ten seconds: who listens on a phone sees that it is alive."""

from __future__ import annotations

from typing import Final

import trio

from halloween_host import topics
from halloween_host.mqtt import next_moment
from halloween_host.outbox import Outbox, Post

__all__ = ["tell_uptime"]

#: Seconds between two words on `halloween/worker_host/uptime`.
UPTIME_S: Final = 10.0


async def tell_uptime(outbox: Outbox) -> None:
    """Count from now, until cancelled."""
    began = trio.current_time()
    while True:
        seconds = str(int(trio.current_time() - began)).encode()
        outbox.post(Post(topics.HOST, topics.HOST_UPTIME, seconds, "telemetry", 0, False, outbox.now()))
        await trio.sleep_until(next_moment(UPTIME_S, trio.current_time()))  # with the signs of life
