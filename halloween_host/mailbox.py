"""A mailbox holds the commands that wait for one worker, first in first out; full, it refuses the newest."""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

import trio

__all__ = ["CAPACITY", "Mailbox"]

#: Commands that wait for one worker at most; beyond it the newest is refused and the sender of the line told so.
CAPACITY: Final = 10_000

ItemT = TypeVar("ItemT")


class Mailbox(Generic[ItemT]):
    """`put` never waits and is called from Trio's thread; one task takes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._waiting: deque[ItemT] = deque()
        self._arrived = trio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: ItemT) -> bool:
        """Take the item; False when the mailbox is full and the item was refused."""
        if len(self._waiting) >= self.capacity:
            return False
        self._waiting.append(item)
        self._arrived.set()
        return True

    async def take(self, most: int) -> list[ItemT]:
        """Wait until something is there; the oldest `most` items in order."""
        while not self._waiting:
            self._arrived = trio.Event()
            await self._arrived.wait()
        if len(self._waiting) <= most:
            batch = list(self._waiting)
            self._waiting.clear()
            return batch
        return [self._waiting.popleft() for _ in range(most)]
