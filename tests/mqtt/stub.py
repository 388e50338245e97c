"""A broker by script that answers what a client sends when it is told to, and never lets an identifier stand for two things."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from anyio.abc import SocketStream

from tests.mqtt.backends import CONNACK

__all__ = ["StubBroker"]

PUBLISH, PUBREL, SUBSCRIBE, UNSUBSCRIBE = 3, 6, 8, 10


class StubBroker:
    """Serves one client of MQTT 3.1.1 (`scripted_broker(stub.serve)`). `in_flight` is what it has not answered, by identifier."""

    def __init__(self) -> None:
        self.in_flight: dict[int, bytes] = {}
        #: Whether what comes waits for `answer`.
        self.holding = True
        #: Payloads in the order in which they came.
        self.payloads: list[bytes] = []
        #: How many identifiers were given to something so far.
        self.numbered = 0
        self._stream: SocketStream
        self._came = anyio.Event()

    async def serve(self, stream: SocketStream) -> None:
        self._stream = stream
        await stream.receive()
        await stream.send(CONNACK)
        rest = b""
        while True:
            rest = self._take(rest + await stream.receive())
            self._came.set()
            self._came = anyio.Event()
            if not self.holding:
                await self.answer(list(self.in_flight))

    async def until(self, count: int) -> None:
        """Return once so many things are unanswered."""
        while len(self.in_flight) < count:
            await self.came()

    async def came(self) -> None:
        """Return once something more has come."""
        await self._came.wait()

    async def answer(self, mids: Iterable[int]) -> None:
        """Say what each of these waits for; of QoS 2 the first word only, PUBREC, whereupon its PUBREL waits."""
        await self._stream.send(b"".join(self._answer(self.in_flight.pop(mid), mid) for mid in mids))

    def _answer(self, packet: bytes, mid: int) -> bytes:
        number = mid.to_bytes(2, "big")
        match packet[0] >> 4:
            case 3:
                return (b"\x40\x02" if packet[0] & 6 == 2 else b"\x50\x02") + number
            case 6:
                return b"\x70\x02" + number
            case 8:
                return b"\x90\x03" + number + b"\0"
            case _:
                return b"\xb0\x02" + number

    def _take(self, data: bytes) -> bytes:
        """Note every whole packet; what is left of the last one."""
        position = 0
        while len(data) - position >= 2:
            length = data[position + 1]
            assert length < 128, "short packets only, please"
            end = position + 2 + length
            if end > len(data):
                break
            self._note(data[position:end])
            position = end
        return data[position:]

    def _note(self, packet: bytes) -> None:
        kind, at = packet[0] >> 4, 2
        if kind == PUBLISH:
            at += 2 + int.from_bytes(packet[2:4], "big")
            self.payloads.append(packet[at + (2 if packet[0] & 6 else 0) :])
        if kind in (PUBREL, SUBSCRIBE, UNSUBSCRIBE) or (kind == PUBLISH and packet[0] & 6):
            mid = int.from_bytes(packet[at : at + 2], "big")
            assert mid, "packet identifier 0"
            assert mid not in self.in_flight, f"{mid} stands for {self.in_flight[mid]!r} and for {packet!r}"
            self.in_flight[mid] = packet
            self.numbered += kind != PUBREL
