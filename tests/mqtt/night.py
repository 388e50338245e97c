"""A night of restarts: a sender that repeats what was not acknowledged, and an ear whose session outlives every connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import trio

from halloween_host.mqtt import Client, MqttError, ProtocolVersion, Receipt
from tests.mosquitto import Mosquitto
from tests.mqtt.packets import frame

__all__ = ["Ear", "Sender", "Sound"]


#: How many publishes the sender is ahead of their acknowledgements.
AHEAD: Final = 500


@attrs.frozen
class Sound:
    """A PUBLISH as it stood on the wire."""

    topic: str
    payload: str
    dup: bool

    @property
    def number(self) -> int:
        return int(self.payload.partition(".")[0])


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


class Ear:
    """A subscriber of MQTT 3.1.1 with a persistent session, on a socket of its own: it hears DUP, which no client's API tells.

    It leaves the last `held` messages unacknowledged, so that there is something to be sent again.
    """

    def __init__(self, broker: Mosquitto, topic_filter: str, held: int = 5) -> None:
        self.sounds: list[Sound] = []
        self._broker = broker
        self._filter = topic_filter
        self._held = held
        self._news = trio.Event()
        self.subscribed = trio.Event()

    async def run(self) -> None:
        """Listen, and come back whenever the broker does; ends by cancellation."""
        while True:
            try:
                await self._listen()
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(0.005)

    def heard(self, topic: str | None = None) -> list[int]:
        """The numbers that were heard (on this topic), each once, in the order in which they came first."""
        return list(dict.fromkeys(sound.number for sound in self.sounds if topic in (None, sound.topic)))

    async def expect(self, numbers: Iterable[int]) -> None:
        """Wait until all of these were heard."""
        missing = set(numbers)
        while missing := missing - {sound.number for sound in self.sounds}:
            await self._news.wait()

    async def _listen(self) -> None:
        stream = await trio.open_tcp_stream(self._broker.host, self._broker.port)
        async with stream:
            await stream.send_all(frame(0x10, _text("MQTT") + b"\4\0\0\0" + _text("ear")))
            await stream.send_all(frame(0x82, b"\0\1" + _text(self._filter) + b"\1"))
            data, unacknowledged = b"", list[bytes]()
            while piece := await stream.receive_some():
                data += piece
                while len(data) >= 2 and len(data) >= (end := 2 + data[1]):
                    self._hear(data[:end], unacknowledged)
                    data = data[end:]
                ready = unacknowledged[: -self._held]
                del unacknowledged[: len(ready)]
                if ready:
                    await stream.send_all(b"".join(b"\x40\2" + mid for mid in ready))
                self._news.set()
                self._news = trio.Event()

    def _hear(self, packet: bytes, unacknowledged: list[bytes]) -> None:
        if packet[0] >> 4 == 9:
            self.subscribed.set()
        if packet[0] >> 4 != 3:
            return
        end = 4 + int.from_bytes(packet[2:4], "big")
        unacknowledged.append(packet[end : end + 2])
        self.sounds.append(Sound(packet[4:end].decode(), packet[end + 2 :].decode(), bool(packet[0] & 8)))


class Sender:
    """Publishes numbers at QoS 1 as fast as it can, ``<number>.<attempt>`` on one of `topics` in turn; `acknowledged` are those that the
    broker took. What was in flight when a connection was lost is published anew, ahead of what follows."""

    def __init__(self, broker: Mosquitto, topics: Sequence[str]) -> None:
        #: On the how manieth connection each number was acknowledged.
        self.acknowledged: dict[int, int] = {}
        self.connections = 0
        self.attempts: dict[int, int] = {}
        self._broker = broker
        self._topics = topics
        self._next = 0
        self._stopping = False
        self._progress = trio.Event()

    async def run(self, protocol: ProtocolVersion, fast_path: bool) -> None:
        """Until `stop`, and all is acknowledged."""
        while not (self._stopping and len(self.acknowledged) == self._next):
            try:
                await self._connect(
                    Client(self._broker.host, self._broker.port, protocol=protocol, fast_path=fast_path)
                )
            except MqttError:
                await trio.sleep(0.005)

    def stop(self) -> None:
        self._stopping = True

    def taken_by_the_last(self) -> set[int]:
        """What was acknowledged on the connection that stands now."""
        return {number for number, connection in self.acknowledged.items() if connection == self.connections}

    async def progress(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            await self._progress.wait()

    async def _connect(self, connection: Client) -> None:
        async with connection as client:
            self.connections += 1
            lost = [number for number in range(self._next) if number not in self.acknowledged]
            receipts = deque(self._publish(client, number) for number in lost)
            while not self._stopping:
                receipts.append(self._publish(client, self._next))
                self._next += 1
                if len(receipts) > AHEAD:
                    await receipts.popleft().wait()
                await client.room()
            for receipt in receipts:
                await receipt.wait()

    def _publish(self, client: Client, number: int) -> Receipt:
        attempt = self.attempts[number] = self.attempts.get(number, -1) + 1
        connection = self.connections

        def done(receipt: Receipt) -> None:
            if receipt.acknowledged:
                self.acknowledged[number] = connection
                self._progress.set()
                self._progress = trio.Event()

        return client.publish_nowait(self._topics[number % len(self._topics)], f"{number}.{attempt}", 1, on_done=done)
