"""A connection answers its callers: who waits for the broker's word gets it, or the reason why it will never come."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import attrs
from paho.mqtt.client import MQTTMessage
from paho.mqtt.properties import Properties

from ._errors import MqttCodeError, MqttError
from ._frames import LARGEST_PACKET, TopicBytes, publish_frame
from ._identifiers import MOST_ASKED, Identifiers
from ._messages import Message, Messages
from ._options import ProtocolVersion
from ._outgoing import Outgoing, Patience, Receipt
from ._paho import PahoClient
from ._pumps import Pumps
from ._splitter import Splitter
from ._topics import Topic
from ._transport import Transport


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
        timeout_s: float,
        fast: bool,
        offered: Properties | None = None,
    ) -> None:
        """`offered` are the properties of our CONNECT; an acknowledgement may take `timeout_s`; `fast`: see `Pumps`."""
        super().__init__(name, transport, paho)
        self.accepted = anyio.Event()
        self.properties: Properties | None = None
        self.patience = Patience(timeout_s)
        self.outgoing = Outgoing(self._send, in_flight=in_flight, capacity=capacity)
        self._v5 = ProtocolVersion(paho.protocol) is ProtocolVersion.V5
        self._messages = messages
        self._topics = TopicBytes()
        self._answers: dict[int, _Answer] = {}
        self._asking = anyio.Semaphore(MOST_ASKED, fast_acquire=True)
        self._identifiers = Identifiers()
        self._identifiers.in_use = (self.outgoing.sent, self._answers, paho.unfinished)
        self._largest = LARGEST_PACKET
        self._settled: list[tuple[int, int]] = []
        self._verdict: MqttError | None = None
        if fast:
            self._splitter = Splitter(
                ProtocolVersion(paho.protocol),
                deliver=messages.extend,
                send=self._send_bytes,
                settled=self.settled,
                other=self.read_packet,
                aliases=getattr(offered, "TopicAliasMaximum", 0),
                largest=getattr(offered, "MaximumPacketSize", None),
            )

    # What Client calls.

    def post(self, receipt: Receipt) -> None:
        """Send a message, or let it wait in line.

        Raises:
            ValueError: for a topic that nothing can be published to.
            MqttError: when the connection is gone, or the line full.
            MqttCodeError: when it is larger than the broker, or MQTT, allows.
        """
        size = 8 + len(self._topics[receipt.topic]) + len(receipt.payload)
        if receipt.properties is not None:
            size += len(receipt.properties.pack())  # type: ignore[no-untyped-call] # paho's
        if self.lost is not None or self.closing:
            self.check_open()
        if size > self._largest:
            raise self._too_large(receipt.topic)
        if receipt.qos:
            self.outgoing.post(receipt)
        else:
            self._send(receipt)
            receipt.settle()

    def send(self, topic: str, payload: bytes, retain: bool) -> None:
        """`post` at QoS 0, without a receipt."""
        if self._splitter is None:
            self.post(Receipt(topic, payload, 0, retain))
            return
        known = self._topics[topic]
        if self.lost is not None or self.closing:
            self.check_open()
        if 8 + len(known) + len(payload) > self._largest:
            raise self._too_large(topic)
        self._send_frame(publish_frame(known, payload, 0, retain, 0, None, self._v5))

    async def ask(self, send: Callable[[], tuple[object, int | None]]) -> list[int]:
        """The reason codes of the SUBACK or UNSUBACK to what `send` sends; paho's result, the identifier second.

        It is sent when fewer than `MOST_ASKED` others have no answer yet.

        Raises:
            MqttError: when the connection is gone.
        """
        async with self._asking:
            self.check_open()
            _, mid = send()
            assert mid is not None
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
        self.patience.end()

    async def disconnect(self, timeout_s: float) -> None:
        self.outgoing.in_flight = 0  # nothing of the line may follow DISCONNECT
        await super().disconnect(timeout_s)

    def waiting(self) -> int:
        return len(self._messages)

    def act(self) -> None:
        if self._settled:
            settled, self._settled = self._settled, []
            for mid, code in settled:
                self.outgoing.settle(mid, code)
        if self._verdict is not None:
            self.lose(self._verdict)
        self._messages.pour()

    # What paho reports.

    def connected(self, properties: Properties) -> None:
        self.properties = properties
        self._largest = getattr(properties, "MaximumPacketSize", LARGEST_PACKET)
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
        payload = message.payload if type(message.payload) is bytes else bytes(message.payload)
        properties = message.properties
        if properties is not None and properties.isEmpty():  # type: ignore[no-untyped-call] # paho's
            properties = None
        topic = Topic(message.topic)
        self._messages.put(Message(topic, payload, message.qos, message.retain, message.mid, properties))

    def settled(self, mid: int, code: int) -> None:
        self._settled.append((mid, code))

    def answered(self, mid: int, codes: list[int]) -> None:
        answer = self._answers.get(mid)
        if answer is not None:
            answer.codes = codes
            answer.event.set()

    def next_identifier(self) -> int:
        return self._identifiers.next()

    def _send(self, receipt: Receipt) -> None:
        topic, payload, qos, properties = receipt.topic, receipt.payload, receipt.qos, receipt.properties
        if qos == 2 or self._splitter is None:
            receipt.mid = self.paho.publish(topic, payload, qos, receipt.retain, properties).mid
            return
        if qos:
            receipt.mid = self._identifiers.next()
        self._send_frame(
            publish_frame(self._topics[topic], payload, qos, receipt.retain, receipt.mid, properties, self._v5)
        )

    def _too_large(self, topic: str) -> MqttCodeError:
        """MQTT 5, section 3.2.2.3.6: the broker ends a connection that brings a larger packet."""
        return MqttCodeError(149, f"publish to {topic!r} refused", f"at most {self._largest:,} bytes a packet")

    def _send_frame(self, frame: bytes) -> None:
        if self.paho.want_write():
            self.paho.loop_write()  # what was asked for before goes before
        self._transport.send(frame)
        if not self._awake:
            self.want_write()

    def _send_bytes(self, data: bytes | bytearray) -> None:
        self._transport.send(data)
        self.want_write()


def _reason_string(properties: Properties | None) -> str:
    return str(getattr(properties, "ReasonString", ""))
