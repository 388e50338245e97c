"""A worker in each dialect with timers, cool-downs and commands whose clock is set under them, and who watches them."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from typing import Final

import attrs
import trio

from halloween_host import topics
from tests.audience import Audience, Seen

__all__ = ["COOLDOWN_S", "LATER_S", "PROPS", "SOURCES", "TICK_S", "Watch", "blames", "names"]

TICK_S: Final = 0.2
LATER_S: Final = 1.0
COOLDOWN_S: Final = 1.5
#: Seconds by which a span may be told wrongly: the moment goes on.
NEAR_S: Final = 5.0

_NATIVE: Final = f"""\
import time
import anyio
from halloween_host import BaseWorker, action


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._tick)

    async def _tick(self):
        while True:
            self.telemetry("tick", time.strftime("%H:%M:%S %Z"))
            await anyio.sleep({TICK_S})

    async def do_later(self, number: str):
        await anyio.sleep({LATER_S})
        self.telemetry("later", number)

    async def do_fire(self, number: str):
        self.telemetry("fired", number)
        return number

    @action(cooldown={COOLDOWN_S})
    async def do_burst(self, number: str):
        self.telemetry("fired", number)

    @action(cooldown=60)
    async def do_long(self, number: str):
        self.telemetry("fired", number)

    async def do_relay(self, number: str):
        self.command("bell", "fire", number, ttl=2)
        self.telemetry("asked", await self.ask("bell", "fire", number + "a"))
"""

_LEGACY: Final = (
    _NATIVE.replace("import anyio", "import asyncio")
    .replace("anyio.sleep", "asyncio.sleep")
    .replace("from halloween_host import", "from worker_host.base import")
    .replace("spawn(self._tick)", "spawn(self._tick())")
    .replace('"bell"', '"organ"')
)

#: Each commands the other.
SOURCES: Final = {"organ": _NATIVE, "bell": _LEGACY}
PROPS: Final = tuple(SOURCES)


@attrs.define
class Watch:
    """What is sent to the two props, and what becomes of it; `audience` hears `halloween/#`."""

    audience: Audience
    #: Seconds that the host's clock is ahead of ours.
    ahead_s: float = 0.0
    #: Numbers that may be fired, once each.
    allowed: set[str] = attrs.field(factory=set)
    _number: int = 0

    async def send(self, prop_id: str, action: str, *, age_s: float | None = None, allowed: bool = True) -> str:
        """Command a prop; with `age_s` it says that it was sent so long ago by the host's clock and is worth 5 s. Its number."""
        self._number += 1
        number = str(self._number)
        if allowed:
            self.allowed.add(number)
        command: dict[str, object] = {"action": action, "args": number}
        if age_s is not None:
            command |= {"ts": round(time.time() + self.ahead_s - age_s, 3), "ttl": 5, "id": number}
        await self.audience.client.publish(topics.command(prop_id), json.dumps(command), qos=1)
        return number

    async def heard(self, prop_id: str, key: str, number: str, within_s: float = 5.0) -> Seen | None:
        """Its telemetry with that number, None when it did not come in time."""
        return await self.said(f"halloween/{prop_id}/telemetry/{key}", number, within_s=within_s)

    async def said(self, topic: str, *parts: str, after: int = 0, within_s: float = 5.0) -> Seen | None:
        """The first message there that holds all `parts`."""
        with trio.move_on_after(within_s):
            return await self.audience.first(
                lambda each: each.topic == topic and all(part in each.payload for part in parts), topic, after=after
            )
        return None

    async def outcome(self, prop_id: str, number: str, within_s: float = 5.0) -> str:
        """The final ack of a command that had an id: its outcome and its error; "" when none came."""
        topic = topics.ack(prop_id)
        with trio.move_on_after(within_s):
            ack = await self.audience.first(
                lambda each: each.topic == topic and _is_final(each.payload, number), f"an ack of {number}"
            )
            answer = json.loads(ack.payload)
            return f"{answer['outcome']}: {answer['error']}"
        return ""

    def stale(self) -> list[str]:
        """What was fired and should not have been, or twice."""
        fired = [each.payload for each in self.audience.seen if each.topic.endswith("/telemetry/fired")]
        return [each for each in set(fired) if each.rstrip("a") not in self.allowed or fired.count(each) > 1]

    def longest_gap_s(self, prop_id: str, since: float, until: float) -> float:
        """The longest time between two ticks of a prop."""
        ticks = [each.at for each in self.audience.on(f"halloween/{prop_id}/telemetry/tick") if since < each.at < until]
        return max(later - earlier for earlier, later in pairwise([since, *ticks, until]))


def _is_final(payload: str, number: str) -> bool:
    ack = json.loads(payload)
    return bool(ack["id"] == number and ack["outcome"] != "accepted")


def names(line: str, seconds: float) -> bool:
    """Whether it tells this span, forwards or backwards."""
    told = [float(each.replace(",", "")) for each in re.findall(r"(\d[\d,]*(?:\.\d+)?) s\b", line)]
    return any(abs(each - abs(seconds)) < NEAR_S for each in told)


def blames(line: str) -> bool:
    """Whether the host, a worker or the link is blamed."""
    return any(word in line for word in ("lost the broker", "block", "crashed"))
