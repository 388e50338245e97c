"""Messages wait in a bounded deque for whoever iterates: one checkpoint a batch; when full the newest is dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import anyio
import anyio.lowlevel
import attrs
from paho.mqtt.properties import Properties

from ._errors import MqttError
from ._topics import Topic

#: How many messages are taken at most before other tasks get a turn.
BATCH: Final = 512


@attrs.frozen
class Message:
    """A message as it arrived. `mid` is its packet identifier (0 at QoS 0), `properties` MQTT 5's."""

    topic: Topic
    payload: bytes
    qos: int = 0
    retain: bool = False
    mid: int = 0
    properties: Properties | None = None


class Messages:
    """All that arrives: iterate it message by message, or take `batch()` after batch; several tasks may share it.

    What arrived before the connection was lost is handed out first, then every call raises. At most `capacity` messages
    wait (None: no bound); beyond it the newest is dropped, counted in `dropped` and told to `on_dropped` once a second.
    """

    def __init__(self, capacity: int | None, on_dropped: Callable[[int], None]) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._on_dropped = on_dropped
        self._told = float("-inf")
        self._waiting: deque[Message] = deque()
        self._turn = 0
        self._arrival: anyio.Event | None = None
        self._end: MqttError | None = None

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        """The next message.

        Raises:
            MqttError: when the connection is gone and all that arrived was taken.
        """
        if self._turn <= 0 or not self._waiting:
            await self._arrived()
            self._turn = min(len(self._waiting), BATCH)
        self._turn -= 1
        return self._waiting.popleft()

    async def batch(self) -> list[Message]:
        """All that arrived (at most 512), at least one message.

        Raises:
            MqttError: when the connection is gone and all that arrived was taken.
        """
        await self._arrived()
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]

    def put(self, message: Message) -> None:
        """Append `message`, or drop it when the queue is full."""
        if self._capacity is not None and len(self._waiting) >= self._capacity:
            self.dropped += 1
            now = time.monotonic()
            if now - self._told >= 1:
                self._told = now
                self._on_dropped(self.dropped)
            return
        self._waiting.append(message)
        if self._arrival is not None:
            self._wake()

    def end(self, error: MqttError) -> None:
        """Make every call raise `error` once the waiting messages are taken; the first end counts."""
        self._end = self._end or error
        self._wake()

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.set()

    async def _arrived(self) -> None:
        await anyio.lowlevel.checkpoint()
        while not self._waiting:
            if self._end is not None:
                raise self._end.again()
            if self._arrival is None:
                self._arrival = anyio.Event()
            await self._arrival.wait()
