"""A connection answers its callers: who waits for the broker's word gets it, or the reason why it will never come."""

from __future__ import annotations

from typing import Final

import anyio
import attrs
from paho.mqtt.client import MQTTMessage
from paho.mqtt.properties import Properties

from ._errors import MqttCodeError, MqttError
from ._messages import Message, Messages
from ._outgoing import Outgoing, Receipt
from ._paho import PahoClient
from ._pumps import Pumps
from ._topics import Topic
from ._transport import Transport

_TOPICS_KEPT: Final = 4096


@attrs.define(eq=False)
class _Answer:
    event: anyio.Event
    codes: list[int] | None = None


class Connection(Pumps):
    """What `Client` calls, and the `Events` that paho reports; the pumps underneath carry both."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        paho: PahoClient,
        messages: Messages,
        *,
        in_flight: int,
        capacity: int | None,
    ) -> None:
        super().__init__(name, transport, paho)
        self.accepted = anyio.Event()
        self.properties: Properties | None = None
        self.outgoing = Outgoing(self._send, in_flight=in_flight, capacity=capacity)
        self._messages = messages
        self._topics: dict[str, Topic] = {}
        self._answers: dict[int, _Answer] = {}
        self._settled: list[tuple[int, int]] = []
        self._verdict: MqttError | None = None

    # What Client calls.

    def check_size(self, receipt: Receipt) -> None:
        """Raise MqttCodeError for a message that the broker's limit forbids."""
        # MQTT 5, section 3.2.2.3.6: the broker ends a connection that brings a larger packet
        most = getattr(self.properties, "MaximumPacketSize", None)
        if most is not None and len(receipt.payload) + len(receipt.topic.encode()) + 16 > most:
            raise MqttCodeError(149, f"publish to {receipt.topic!r} refused", f"at most {most:,} bytes a packet")

    async def answer(self, mid: int) -> list[int]:
        """The reason codes of the SUBACK or UNSUBACK with this packet identifier."""
        answer = self._answers[mid] = _Answer(anyio.Event())
        try:
            await answer.event.wait()
        finally:
            del self._answers[mid]
        if answer.codes is None:
            assert self.lost is not None
            raise self.lost.again()
        return answer.codes

    def lose(self, error: MqttError) -> None:
        if self.lost is not None:
            return
        super().lose(error)
        self.accepted.set()
        for answer in self._answers.values():
            answer.event.set()
        self._messages.end(error)
        self.outgoing.fail(error)

    def act(self) -> None:
        if self._settled:
            settled, self._settled = self._settled, []
            for mid, code in settled:
                self.outgoing.settle(mid, code)
        if self._verdict is not None:
            self.lose(self._verdict)

    # What paho reports.

    def connected(self, properties: Properties) -> None:
        self.properties = properties
        receive_maximum = getattr(properties, "ReceiveMaximum", None)
        if receive_maximum is not None:  # MQTT 5, section 3.2.2.3.3: more unacknowledged publishes are a protocol error
            self.outgoing.in_flight = min(self.outgoing.in_flight, receive_maximum)
        keepalive = getattr(properties, "ServerKeepAlive", None)
        if keepalive is not None:
            self.paho.keep_alive_as(keepalive)
        self.accepted.set()

    def refused(self, code: int, properties: Properties | None) -> None:
        self._verdict = MqttCodeError(code, f"{self.name} refused the connection", _reason_string(properties))

    def dismissed(self, code: int, properties: Properties | None) -> None:
        self._verdict = MqttCodeError(code, f"{self.name} disconnected us", _reason_string(properties))

    def arrived(self, message: MQTTMessage) -> None:
        name = message.topic
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= _TOPICS_KEPT:
                self._topics.clear()
            topic = self._topics[name] = Topic(name)
        payload = message.payload if type(message.payload) is bytes else bytes(message.payload)
        self._messages.put(Message(topic, payload, message.qos, message.retain, message.mid, message.properties))

    def settled(self, mid: int, code: int) -> None:
        self._settled.append((mid, code))

    def answered(self, mid: int, codes: list[int]) -> None:
        answer = self._answers.get(mid)
        if answer is not None:
            answer.codes = codes
            answer.event.set()

    def awaits(self, mid: int) -> bool:
        return mid in self._answers

    def _send(self, receipt: Receipt) -> int:
        info = self.paho.publish(receipt.topic, receipt.payload, receipt.qos, receipt.retain, receipt.properties)
        receipt.mid = info.mid
        return info.mid


def _reason_string(properties: Properties | None) -> str:
    return str(getattr(properties, "ReasonString", ""))
