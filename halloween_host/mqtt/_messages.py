"""Messages wait in a bounded deque for whoever iterates: one checkpoint a batch; when full the newest is dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import anyio.lowlevel
import attrs
from paho.mqtt.properties import Properties

from ._errors import MqttError
from ._topics import Topic

#: How many messages are taken at most before other tasks get a turn.
BATCH: Final = 512
#: How many messages a sink gets at most before other tasks get a turn.
TURN: Final = 200


@attrs.define  # frozen, making one would take 3.5 times as long, and nothing here is made more often
class Message:
    """A message as it arrived; not to be changed. `mid` is its packet identifier (0 at QoS 0), `properties` MQTT 5's, if any."""

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
        #: While set, it gets what arrives by plain calls, TURN messages at once at most, mostly in the very step that read them, and
        #: with each whether none waits behind it; the rest waits until somebody calls `wait` and `pour`. It must not raise, and
        #: nobody may iterate meanwhile.
        self.sink: Callable[[Message, bool], object] | None = None
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
            await self.wait()
            self._turn = min(len(self._waiting), BATCH)
        self._turn -= 1
        return self._waiting.popleft()

    async def batch(self) -> list[Message]:
        """All that arrived (at most 512), at least one message.

        Raises:
            MqttError: when the connection is gone and all that arrived was taken.
        """
        await self.wait()
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]

    async def wait(self) -> None:
        """Return, after a checkpoint, when something waits.

        Raises:
            MqttError: when the connection is gone and all that arrived was taken.
        """
        if self._waiting:
            await anyio.lowlevel.checkpoint()
        while not self._waiting:
            if self._end is not None:
                await anyio.lowlevel.checkpoint()
                raise self._end.again()
            if self._arrival is None:
                self._arrival = anyio.Event()
            await self._arrival.wait()

    def put(self, message: Message) -> None:
        """Append `message`, or drop it when the queue is full; wake who waits."""
        if self.extend([message]):
            self._wake()

    def extend(self, messages: Sequence[Message]) -> int:
        """Append `messages`, or drop what is beyond the capacity; how many were appended. `pour` must follow."""
        accepted = len(messages)
        if self._capacity is not None and len(self._waiting) + accepted > self._capacity:
            accepted = max(self._capacity - len(self._waiting), 0)
            self._drop(len(messages) - accepted)
            messages = messages[:accepted]
        self._waiting.extend(messages)
        return accepted

    def pour(self) -> None:
        """Give the sink, if there is one, its turn's worth of what waits, and wake who waits if something is left."""
        waiting = self._waiting
        if self.sink is not None:
            for _ in range(min(len(waiting), TURN)):
                message = waiting.popleft()
                self.sink(message, not waiting)
        if waiting and self._arrival is not None:
            self._wake()

    def end(self, error: MqttError) -> None:
        """Make every call raise `error` once the waiting messages are taken; the first end counts."""
        self._end = self._end or error
        self._wake()

    def _drop(self, count: int) -> None:
        self.dropped += count
        now = time.monotonic()
        if now - self._told >= 1:
            self._told = now
            self._on_dropped(self.dropped)

    def _wake(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.set()
