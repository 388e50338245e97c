"""Three readers of a broker's bytes, alike from outside: our splitter over paho, paho alone, the specification over paho."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import MQTTException  # type: ignore[attr-defined]  # 2.1 has its own there, 2.2 imports it

from halloween_host.mqtt import Message, ProtocolVersion
from halloween_host.mqtt._errors import ProtocolViolation
from halloween_host.mqtt._splitter import Splitter
from tests.mqtt.packets import ALIASES, QOS_1_IN_FLIGHT, QOS_2_IN_FLIGHT, facts
from tests.mqtt.specification import Heard, Reader, Wrong

__all__ = ["Engine", "Listening", "Ours", "Paho", "Specified", "Wire", "acks"]

#: What paho raises on a packet that it cannot read; 2.2 raises it inside, and tells a code.
PAHO_MALFORMED: Final = (struct.error, IndexError, KeyError, ValueError, MQTTException)

PUBACK: Final = 4


def acks(sent: bytes) -> dict[int, list[bytes]]:
    """Short packets by type, in order: between acknowledgements of two kinds no order is asked for (MQTT 5, section 4.6)."""
    found: dict[int, list[bytes]] = {}
    while sent:
        end = 2 + sent[1]
        found.setdefault(sent[0] >> 4, []).append(sent[:end])
        sent = sent[end:]
    return found


class Wire:
    """A socket in memory."""

    def __init__(self) -> None:
        self.served = b""
        self.sent = b""

    def recv(self, size: int) -> bytes:
        if not self.served:
            raise BlockingIOError
        piece, self.served = self.served[:size], self.served[size:]
        return piece

    def send(self, data: bytes | bytearray) -> int:
        self.sent += data
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None: ...
    def setblocking(self, flag: bool) -> None: ...


class Engine(paho.Client):
    """paho with publishes of QoS 2 in flight (and of QoS 1, when it is alone)."""

    def __init__(self, protocol: ProtocolVersion, to: Listening, qos_1: Iterable[int]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2, "oracle", protocol=MQTTProtocolVersion(protocol), reconnect_on_failure=False
        )
        self.wire = Wire()
        self._sock = self.wire
        self._to = to
        self.on_message = self._told_message
        self.on_publish = lambda _client, _userdata, mid, reason, _properties: to.settled.append((mid, reason.value))
        self.on_subscribe = lambda _client, _userdata, mid, reasons, _properties: to.note("subscribed", mid, reasons)
        self.on_unsubscribe = lambda _client, _userdata, mid, reasons, _p: to.note("unsubscribed", mid, reasons)
        self.on_disconnect = self._told_disconnect
        for qos, mids in ((1, qos_1), (2, QOS_2_IN_FLIGHT)):
            for mid in mids:
                self._last_mid = mid - 1
                self.publish("out", qos=qos)
        self.wire.sent = b""

    def read(self, data: bytes) -> None:
        """Parse it; whatever is wrong ends `to`."""
        self.wire.served += data
        while self.wire.served and self._sock is not None:
            try:
                code = self.loop_read()
            except PAHO_MALFORMED:
                code = MQTTErrorCode.MQTT_ERR_PROTOCOL
            if code and not self._to.ended:  # a DISCONNECT closes paho's socket under its own loop
                self._to.refused = frozenset({129, 130})
                self._sock = None

    def _told_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        said = facts(message.properties)
        self._to.heard.append(
            Heard(message.topic, bytes(message.payload), message.qos, message.retain, message.mid, said)
        )

    def _told_disconnect(self, _client: Any, _userdata: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            self._to.note("dismissed", reason.value, [])


class Listening:
    """What came of a stream. `refused` are the reason codes of which the end by our fault-finding has one; None: none was found."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.settled: list[tuple[int, int]] = []
        self.told: list[tuple[Any, ...]] = []
        self.refused: frozenset[int] | None = None
        #: Why it was refused, for a failing test to say.
        self.why = ""
        self.sections: frozenset[str] = frozenset()

    def note(self, what: str, number: int, reasons: list[Any]) -> None:
        self.told.append((what, number, *(reason.value for reason in reasons)))

    @property
    def dismissed(self) -> bool:
        return any(each[0] == "dismissed" for each in self.told)

    @property
    def ended(self) -> bool:
        return self.refused is not None or self.dismissed

    def settle_first(self, mid: int, code: int) -> None:
        """A PUBACK came; only the first one for a publish in flight says something."""
        if mid in QOS_1_IN_FLIGHT and mid not in [settled for settled, _ in self.settled]:
            self.settled.append((mid, code))


class Paho(Listening):
    """paho alone. It leaves topic aliases to its caller (MQTT 5, section 3.3.2.3.4): the topic is empty then."""

    def __init__(self, protocol: ProtocolVersion) -> None:
        super().__init__()
        self._engine = Engine(protocol, self, QOS_1_IN_FLIGHT)

    def feed(self, pieces: Iterable[bytes]) -> Paho:
        for piece in pieces:
            self._engine.read(piece)
        return self

    @property
    def sent(self) -> dict[int, list[bytes]]:
        return acks(self._engine.wire.sent)


class Ours(Listening):
    """Our splitter, paho behind it."""

    def __init__(self, protocol: ProtocolVersion) -> None:
        super().__init__()
        self._engine = Engine(protocol, self, ())
        self._sent = b""
        self._splitter = Splitter(
            protocol,
            deliver=self._deliver,
            send=self._send,
            settled=self.settle_first,
            other=self._other,
            aliases=ALIASES,
        )

    def feed(self, pieces: Iterable[bytes]) -> Ours:
        """Raises what is no ProtocolViolation: nothing else may come out."""
        for piece in pieces:
            if self.ended:
                break
            try:
                self._splitter.feed(piece)
            except ProtocolViolation as violation:
                self.refused = frozenset({violation.reason_code})
                self.why = violation.what
        return self

    @property
    def sent(self) -> dict[int, list[bytes]]:
        return acks(self._sent + self._engine.wire.sent)

    def _deliver(self, messages: list[Message]) -> int:
        assert not self.ended, "a message after the end"
        for each in messages:
            assert type(each.payload) is bytes
            said = facts(each.properties)
            self.heard.append(Heard(each.topic, each.payload, each.qos, each.retain, each.mid, said))
        return len(messages)

    def _send(self, data: bytes | bytearray) -> None:
        self._sent += data

    def _other(self, packet: bytes) -> bool:
        self._engine.read(packet)
        return not self.ended


class Specified(Listening):
    """The specification's reader, paho behind it for what is neither PUBLISH nor PUBACK."""

    def __init__(self, protocol: ProtocolVersion) -> None:
        super().__init__()
        self._reader = Reader(protocol, ALIASES)
        self._engine = Engine(protocol, self, ())
        self._sent = b""
        self._waiting: dict[int, Heard] = {}

    def feed(self, data: bytes) -> Specified:
        try:
            for packet in self._reader.packets(data):
                self._take(packet)
                if self.ended:
                    break
        except Wrong as wrong:
            self.refused, self.sections, self.why = wrong.codes, wrong.sections, str(wrong)
        return self

    @property
    def sent(self) -> dict[int, list[bytes]]:
        return acks(self._sent + self._engine.wire.sent)

    def _take(self, packet: bytes) -> None:
        kind = packet[0] >> 4
        if kind == 3:
            heard = self._reader.publish(packet)
            if heard.qos == 2:
                self._waiting[heard.mid] = heard
                self._sent += b"\x50\x02" + heard.mid.to_bytes(2, "big")
                return
            self.heard.append(heard)
            if heard.qos == 1:
                self._sent += b"\x40\x02" + heard.mid.to_bytes(2, "big")
        elif kind == PUBACK:
            self.settle_first(*self._reader.puback(packet))
        else:
            before = len(self._engine.wire.sent)
            self._engine.read(packet)
            released = acks(self._engine.wire.sent[before:]).get(7, [])
            for pubcomp in released:
                waiting = self._waiting.pop(int.from_bytes(pubcomp[2:4], "big"), None)
                if waiting is not None:
                    self.heard.append(waiting)
