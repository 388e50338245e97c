"""The splitter takes PUBLISH and PUBACK packets off the stream and leaves every other packet whole for paho.

Rules for this file: bytes in, values out; no socket, no event loop, no clock. A packet may be cut anywhere. A message costs
no call but those in `feed`'s loop: paho's parser takes ten times as long for the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from paho.mqtt.properties import Properties

from ._errors import MALFORMED_PACKET, PROTOCOL_ERROR, ProtocolViolation
from ._frames import ACK_HEAD, encode_length, refuse_publish
from ._messages import Message
from ._options import ProtocolVersion
from ._properties import ACK, PUBLISH, read_length, read_properties, too_short
from ._topics import Topic

__all__ = ["Splitter"]

#: Topics remembered with their bytes; beyond it all are forgotten and learned anew.
TOPICS_KEPT: Final = 4096

#: Reason codes of MQTT 5, sections 3.14.2.1 and 3.4.2.1.
TOPIC_ALIAS_INVALID: Final = 148
PACKET_TOO_LARGE: Final = 149
QUOTA_EXCEEDED: Final = 151
#: The reason codes that a PUBACK may have (MQTT 5, section 3.4.2.1).
PUBACK_CODES: Final = frozenset((0, 16, 128, 131, 135, 144, 145, 151, 153))

# What a packet's first byte says of it.
_QOS_0, _QOS_1, _QOS_2, _PUBACK, _OTHER, _FORBIDDEN = range(6)


def _kinds(v5: bool) -> bytes:
    """By first byte: packet types of a server with the flags they must have (MQTT 5, sections 2.1.2 and 2.1.3)."""
    kinds = bytearray([_FORBIDDEN]) * 256
    # PUBLISH: QoS in bits 1 and 2, never 3; DUP, bit 3, never at QoS 0 (section 3.3.1); RETAIN, bit 0
    for first, kind in ((0x30, _QOS_0), (0x32, _QOS_1), (0x3A, _QOS_1), (0x34, _QOS_2), (0x3C, _QOS_2)):
        kinds[first] = kinds[first | 1] = kind
    kinds[0x40] = _PUBACK
    for first in (0x20, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0) + (0xE0, 0xF0) * v5:
        kinds[first] = _OTHER
    return bytes(kinds)


_KINDS: Final = {version: _kinds(version is ProtocolVersion.V5) for version in ProtocolVersion}


class Splitter:
    """One connection's incoming stream.

    `deliver` gets messages of QoS 0 and 1 in their order and returns how many of them, from the first on, were accepted; `send`
    gets their PUBACKs afterwards. `settled` gets identifier and reason code of each PUBACK that came; `other` gets each
    other packet whole, after the messages before it, and returns whether the connection goes on. `aliases` is the Topic Alias
    Maximum and `largest` the Maximum Packet Size that our CONNECT offered (MQTT 5, sections 3.1.2.11.5 and 3.1.2.11.4).
    """

    def __init__(
        self,
        protocol: ProtocolVersion,
        *,
        deliver: Callable[[list[Message]], int],
        send: Callable[[bytes | bytearray], object],
        settled: Callable[[int, int], None],
        other: Callable[[bytes], bool],
        aliases: int = 0,
        largest: int | None = None,
    ) -> None:
        self._v5 = protocol is ProtocolVersion.V5
        self._kinds = _KINDS[protocol]
        self._deliver = deliver
        self._send = send
        self._settled = settled
        self._other = other
        self._most_aliases = aliases
        self._aliases: dict[int, Topic] = {}
        self._largest = largest or 1 << 32
        self._topics: dict[bytes, Topic] = {}
        self._rest = bytearray()
        self._needed = 0  # bytes that `_rest` must have before another look at it is worth while

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream.

        Raises:
            ProtocolViolation: for what the specification forbids a server; the messages before it were delivered, and nothing
                after it is looked at.
        """
        if self._needed:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
            self._needed = 0
        messages: list[Message] = []
        acks = bytearray()
        try:
            end = self._split(data, messages, acks)
        except IndexError:
            raise too_short() from None
        finally:
            self._hand_over(messages, acks)
        if end < len(data):
            self._rest += data[end:]
            self._needed = max(self._needed, 2)

    def _split(self, data: bytes, messages: list[Message], acks: bytearray) -> int:
        """Every whole packet in `data`; where the first one that is not whole begins."""
        v5, kinds, topics, largest, append = self._v5, self._kinds, self._topics, self._largest, messages.append
        topic: Topic | None
        properties: Properties | None
        position, end = 0, len(data)
        while end - position >= 2:
            first, length, start = data[position], data[position + 1], position + 2
            if length > 127:
                length, start = read_length(data, position + 1, end, minimal=v5)
                if length < 0:
                    self._needed = end - position + 1
                    break
            kind = kinds[first]
            stop = start + length
            if kind == _FORBIDDEN:
                raise ProtocolViolation(MALFORMED_PACKET, f"no broker's packet begins with {first:#04x}")
            if stop - position > largest:
                raise ProtocolViolation(PACKET_TOO_LARGE, f"a packet of {stop - position:,} bytes, over our maximum")
            if stop > end:
                self._needed = stop - position
                break
            if kind <= _QOS_1:
                at = start + 2 + (data[start] << 8 | data[start + 1])
                raw = data[start + 2 : at]
                topic = topics.get(raw) or self._new_topic(raw)
                mid = mid_at = 0
                if kind:
                    mid_at = at
                    mid = data[at] << 8 | data[at + 1]
                    at += 2
                properties = None
                if v5:
                    if data[at]:
                        properties, at = read_properties(PUBLISH, data, at, stop)
                        topic = self._aliased(topic, properties)
                    else:
                        at += 1
                if at > stop:
                    raise too_short()
                if topic is None:
                    raise _nameless()
                if kind:
                    if not mid:
                        raise _unnumbered()
                    acks += ACK_HEAD
                    acks += data[mid_at : mid_at + 2]
                append(Message(topic, data[at:stop], kind, first & 1 == 1, mid, properties))
            elif kind == _PUBACK:
                self._acknowledged(data, start, stop)
            else:
                self._hand_over(messages, acks)
                packet = data[position:stop] if kind == _OTHER else self._checked(data, position, start, stop)
                if not self._other(packet):
                    return end
            position = stop
        return position

    def _hand_over(self, messages: list[Message], acks: bytearray) -> None:
        """Deliver what was split off so far, and acknowledge it afterwards."""
        if not messages:
            return
        accepted = self._deliver(messages)
        if acks:
            if self._v5 and accepted < len(messages):
                acks[:] = b"".join(
                    refuse_publish(each.mid, QUOTA_EXCEEDED)
                    if index >= accepted
                    else ACK_HEAD + each.mid.to_bytes(2, "big")
                    for index, each in enumerate(messages)
                    if each.qos
                )
            self._send(acks)
            acks.clear()
        messages.clear()

    def _acknowledged(self, data: bytes, start: int, stop: int) -> None:
        """A PUBACK (MQTT 5, section 3.4): identifier, then reason code and properties where they are not the usual ones."""
        length = stop - start
        if length < 2 or (length > 2 and not self._v5):
            raise ProtocolViolation(MALFORMED_PACKET, f"a PUBACK of {length} bytes")
        if length > 3 and read_properties(ACK, data, start + 3, stop)[1] != stop:
            raise ProtocolViolation(MALFORMED_PACKET, "a PUBACK that is longer than its properties")
        code = data[start + 2] if length > 2 else 0
        if code not in PUBACK_CODES:
            raise ProtocolViolation(MALFORMED_PACKET, f"a PUBACK with reason code {code}")
        self._settled(data[start] << 8 | data[start + 1], code)

    def _checked(self, data: bytes, position: int, start: int, stop: int) -> bytes:
        """A PUBLISH of QoS 2 as paho understands it: with its topic, when it came with an alias alone."""
        at = start + 2 + (data[start] << 8 | data[start + 1])
        raw = data[start + 2 : at]
        topic = self._topics.get(raw) or self._new_topic(raw)
        properties_at = at + 2
        if properties_at > stop:
            raise too_short()
        if not data[at] and not data[at + 1]:
            raise _unnumbered()
        if self._v5:
            properties, _ = read_properties(PUBLISH, data, properties_at, stop)
            topic = self._aliased(topic, properties)
        if topic is None:
            raise _nameless()
        if raw:
            return data[position:stop]
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + data[at:stop]
        return data[position : position + 1] + encode_length(len(body)) + body

    def _new_topic(self, raw: bytes) -> Topic | None:
        """A topic seen for the first time; None for the empty one, which MQTT 5 allows beside an alias."""
        if not raw and self._v5:
            return None
        try:
            topic = Topic(raw.decode())
        except UnicodeDecodeError:
            raise ProtocolViolation(MALFORMED_PACKET, "a topic that is no UTF-8") from None
        except ValueError as error:
            raise ProtocolViolation(MALFORMED_PACKET, str(error)) from None
        if len(self._topics) >= TOPICS_KEPT:
            self._topics.clear()
        self._topics[raw] = topic
        return topic

    def _aliased(self, topic: Topic | None, properties: Properties | None) -> Topic | None:
        """The topic that a message has by its alias, or gives to it (MQTT 5, section 3.3.2.3.4)."""
        alias = getattr(properties, "TopicAlias", None)
        if alias is None:
            return topic
        if not 0 < alias <= self._most_aliases:
            raise ProtocolViolation(
                TOPIC_ALIAS_INVALID, f"topic alias {alias}, of {self._most_aliases} that we offered"
            )
        if topic is None:
            return self._aliases.get(alias)
        self._aliases[alias] = topic
        return topic


def _nameless() -> ProtocolViolation:
    return ProtocolViolation(PROTOCOL_ERROR, "a message with neither a topic nor a topic alias that we know")


def _unnumbered() -> ProtocolViolation:
    return ProtocolViolation(PROTOCOL_ERROR, "a message above QoS 0 with packet identifier 0")
