"""An audience is a subscriber that notes when it had each message, on this machine's monotonic clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from halloween_host.mqtt import Client
from tests.mosquitto import Mosquitto

__all__ = ["PATIENCE_S", "Audience", "Seen", "attending"]

PATIENCE_S: Final = 60.0
_WORD: Final = "/status/availability"


@attrs.frozen
class Seen:
    """A message, and when the subscriber had it. `retained`: the broker had it from before the subscription."""

    at: float
    topic: str
    payload: str
    retained: bool = False

    @property
    def prop(self) -> str:
        return self.topic.split("/")[1]


class Audience:
    """Keeps what it sees; `until` waits for something of it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: list[Seen] = []
        self._news = trio.Event()

    async def run(self) -> None:
        while True:
            batch = await self.client.messages.batch()
            at = time.monotonic()
            self.seen += [
                Seen(at, str(each.topic), bytes(each.payload).decode(errors="replace"), each.retain) for each in batch
            ]
            self._news.set()
            self._news = trio.Event()

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """
        Raises:
            AssertionError: when it was not done in `PATIENCE_S`.
        """
        with trio.move_on_after(PATIENCE_S):
            while not done():
                await self._news.wait()
            return
        raise AssertionError(f"not seen in {PATIENCE_S:g} s: {what}")

    async def first(self, fits: Callable[[Seen], bool], what: str, *, after: int = 0) -> Seen:
        """The first that fits of what was seen from number `after` on, now or as soon as it comes."""
        found: list[Seen] = []

        def there() -> bool:
            nonlocal after
            found.extend(each for each in self.seen[after:] if fits(each))
            after = len(self.seen)
            return bool(found)

        await self.until(there, what)
        return found[0]

    def on(self, topic: str) -> list[Seen]:
        return [each for each in self.seen if each.topic == topic]

    async def each_says(self, word: str, props: Collection[str], *, after: int = 0) -> dict[str, float]:
        """When each of them said it first, of what was seen from number `after` on."""
        said: dict[str, float] = {}

        def all_did() -> bool:
            nonlocal after
            for each in self.seen[after:]:
                if each.topic.endswith(_WORD) and each.payload == word:
                    said.setdefault(each.prop, each.at)
            after = len(self.seen)
            return said.keys() >= set(props)

        await self.until(all_did, f"{word} of all")
        return {prop: said[prop] for prop in props}

    async def all_say(self, word: str, props: Collection[str]) -> float:
        """When the last of them said it, of what was seen since `seen` was cleared."""
        return max((await self.each_says(word, props)).values())


@asynccontextmanager
async def attending(broker: Mosquitto, *topic_filters: str, **login: str) -> AsyncIterator[Audience]:
    """An audience for the length of the block, subscribed to these filters or to all that is ours; `login`: username, password."""
    ears = Client(
        broker.host, broker.port, identifier="audience", username=login.get("username"), password=login.get("password")
    )
    async with ears as client, trio.open_nursery() as nursery:
        for each in topic_filters or ("halloween/#",):
            await client.subscribe(each, 1)
        audience = Audience(client)
        nursery.start_soon(audience.run)
        yield audience
        nursery.cancel_scope.cancel()
