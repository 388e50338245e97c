"""The half of a client that the broker moves: messages and acknowledgements come in, and at last the end."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import structlog
import trio

from halloween_host.mqtt import Message, Messages, MqttError, PacketTypes, Properties, ProtocolVersion, Receipt

from ._packets import Filters, Parcel, carried

__all__ = ["Receiving"]

#: As the real client's default: messages that wait to be taken; the newest is dropped beyond it.
INCOMING: Final = 100_000

_log: Final = structlog.stdlib.get_logger()


class Receiving:
    """What a `ClientEnd` is to its broker, but for what the client said in CONNECT."""

    def __init__(self, protocol: ProtocolVersion) -> None:
        self.protocol = protocol
        self._messages = Messages(INCOMING, _say_dropped)
        self._received = 0
        self._sent: deque[Receipt] = deque()
        self._questions: list[Filters] = []
        self._held = 0
        self._room: trio.Event | None = None
        self._closing = False
        self._lost: MqttError | None = None
        self._ended = trio.Event()
        # Under MQTT 5 every message has properties, mostly empty ones; paho's constructor has no annotations
        self._no_properties: Properties | None = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if protocol is ProtocolVersion.V311:
            self._no_properties = None

    def arrive(self, parcel: Parcel, now: float) -> None:
        """A message came; of its expiry the seconds that remain."""
        properties = parcel.properties if self._no_properties is not None else None
        if properties is None:
            properties = self._no_properties
        elif parcel.expires_at < math.inf:
            # clocks are floats: 5 s that were added and taken off again are still 5
            remaining_s = max(1, math.ceil(parcel.expires_at - now - 1e-6))
            if remaining_s != getattr(properties, "MessageExpiryInterval", None):
                properties = carried(properties, remaining_s=remaining_s)
        mid = 0
        if parcel.qos:
            mid = self._received = self._received % 65_535 + 1
        self._messages.put(Message(parcel.topic, parcel.payload, parcel.qos, parcel.retain, mid, properties))

    def acknowledge(self, receipt: Receipt) -> None:
        self._sent.popleft()
        receipt.settle()

    def thaw(self) -> None:
        self._held = 0
        self._let_on()

    def lose(self, error: MqttError) -> None:
        self._finish(MqttError("the connection to the stage was closed") if self._closing else error)

    def _finish(self, error: MqttError) -> None:
        if self._lost is not None:
            return
        self._lost = error
        self._ended.set()
        for question in self._questions:
            question.answered.set()
        self._messages.end(error)
        self._let_on()
        sent, self._sent = self._sent, deque()
        for receipt in sent:
            receipt.settle(error)

    def _let_on(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.set()


def _say_dropped(dropped: int) -> None:
    _log.warning(f"incoming queue full, newest messages dropped: {dropped} so far from the stage")
