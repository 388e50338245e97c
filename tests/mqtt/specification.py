"""What the specification says of a broker's bytes: a reader written from its text, strict, slow, and sharing no code with ours or paho's.

It judges PUBLISH, PUBACK and how packets are framed; what else a broker sends it hands on whole. Sections are MQTT 5's; where they
ask for a reason code, MQTT 3.1.1 (section 4.8) closes the connection without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from halloween_host.mqtt import ProtocolVersion
from tests.mqtt.packets import PROPERTIES, Kind

__all__ = ["Heard", "Reader", "Wrong"]

MALFORMED: Final = frozenset({129})
PROTOCOL_ERROR: Final = frozenset({130})
EITHER: Final = MALFORMED | PROTOCOL_ERROR


class Wrong(Exception):
    """The bytes are against `sections`, of which any may be found first; whoever got them ends the connection with one of `codes`."""

    def __init__(self, faults: Mapping[str, frozenset[int]]) -> None:
        super().__init__(f"against {sorted(faults)}")
        self.sections = frozenset(faults)
        self.codes = frozenset().union(*faults.values())


@attrs.frozen
class Heard:
    """A message, its topic alias resolved."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int
    properties: dict[str, Any]


class _Bytes:
    """Takes values off a packet's body; what is not there any more is malformed."""

    def __init__(self, data: bytes, faults: dict[str, frozenset[int]] | None = None) -> None:
        self.data = data
        self.faults = {} if faults is None else faults

    def note(self, section: str, codes: frozenset[int] = MALFORMED) -> None:
        """A fault after which one can read on."""
        self.faults[section] = self.faults.get(section, frozenset()) | codes

    def give_up(self, section: str) -> Wrong:
        """A fault after which one cannot."""
        self.note(section)
        return Wrong(self.faults)

    def check(self) -> None:
        if self.faults:
            raise Wrong(self.faults)

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise self.give_up("1.2")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vbi(self, *, minimal: bool = True) -> int:
        value = 0
        for place in range(4):
            digit = self.number(1)
            value |= (digit & 127) << 7 * place
            if digit < 128:
                if minimal and place and not digit:
                    self.note("1.5.5")
                return value
        raise self.give_up("1.5.5")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self, section: str = "1.5.4") -> str:
        data = self.binary()
        text = data.decode(errors="replace")
        if text.encode() != data or "\0" in text:
            self.note(section)
        return text

    def value(self, kind: Kind) -> Any:
        match kind:
            case "byte":
                return self.number(1)
            case "u16":
                return self.number(2)
            case "u32":
                return self.number(4)
            case "vbi":
                return self.vbi()
            case "binary":
                return self.binary()
            case "text":
                return self.text()
            case "pair":
                return (self.text(), self.text())

    def properties(self, allowed: set[int]) -> dict[str, Any]:
        inner = _Bytes(self.take(self.vbi()), self.faults)
        found: dict[str, Any] = {}
        while inner.data:
            identifier = inner.vbi()
            if identifier not in allowed:
                raise self.give_up("2.2.2.2")
            name, kind, _ = PROPERTIES[identifier]
            value = inner.value(kind)
            if name in ("UserProperty", "SubscriptionIdentifier"):
                found.setdefault(name, []).append(value)
            elif name in found:
                self.note("3.3.2.3", PROTOCOL_ERROR)
            else:
                found[name] = value
        return found


_PUBLISH, _PUBREL, _DISCONNECT = 3, 6, 14
#: The types of packet that a server sends (table 2-1): not CONNECT, SUBSCRIBE, UNSUBSCRIBE and PINGREQ.
_OF_A_SERVER: Final = {2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15}

_OF_PUBLISH: Final = {identifier for identifier, (_, _, publish) in PROPERTIES.items() if publish}
_OF_PUBACK: Final = {31, 38}
_PUBACK_CODES: Final = {0, 16, 128, 131, 135, 144, 145, 151, 153}


class Reader:
    """Reads a whole stream; remembers the topic aliases, of which `aliases` were offered."""

    def __init__(self, protocol: ProtocolVersion, aliases: int) -> None:
        self._v5 = protocol is ProtocolVersion.V5
        self._most = aliases
        self._aliases: dict[int, str] = {}

    def packets(self, data: bytes) -> Iterator[bytes]:
        """Packet by packet, each whole; an unfinished one at the end is waited for.

        Raises:
            Wrong: for a length of more than four bytes, and for a first byte that no packet of a broker has, as soon as
                its length stands there.
        """
        while data:
            rest = _Bytes(data[1:])
            try:
                length = rest.vbi(minimal=self._v5)
            except Wrong as wrong:
                if "1.5.5" in wrong.sections:
                    raise
                return
            rest.check()
            self._check_first(data[0], "" if length <= len(rest.data) else ", unfinished")
            if length > len(rest.data):
                return
            end = len(data) - len(rest.data) + length
            yield data[:end]
            data = data[end:]

    def publish(self, packet: bytes) -> Heard:
        """What a PUBLISH says.

        Raises:
            Wrong: for what the specification forbids.
        """
        body = self._body(packet)
        qos = packet[0] >> 1 & 3
        topic = body.text("1.5.4, topic")
        if "+" in topic or "#" in topic:
            # Of wildcards section 3.3.2.1 says "must not", and of no code: 129 and 144 are both meant for something like it
            body.note("3.3.2.1", MALFORMED | {144})
        mid = body.number(2) if qos else 0
        if qos and not mid:
            body.note("2.2.1", EITHER)
        properties = body.properties(_OF_PUBLISH) if self._v5 else {}
        if self._v5:
            topic = self._resolved(topic, properties, body)
        elif not topic:
            body.note("MQTT 3.1.1, 4.7.3", EITHER)
        body.check()
        return Heard(topic, body.data, qos, bool(packet[0] & 1), mid, properties)

    def puback(self, packet: bytes) -> tuple[int, int]:
        """The packet identifier and the reason code of a PUBACK.

        Raises:
            Wrong: for what the specification forbids.
        """
        body = self._body(packet)
        mid = body.number(2)
        code = 0
        if self._v5 and body.data:
            code = body.number(1)
            if code not in _PUBACK_CODES:
                body.note("3.4.2.1", EITHER)
            if body.data:
                body.properties(_OF_PUBACK)
        if body.data:
            body.note("3.4")
        body.check()
        return mid, code

    def _resolved(self, topic: str, properties: dict[str, Any], body: _Bytes) -> str:
        if properties.get("PayloadFormatIndicator", 0) > 1:
            body.note("3.3.2.3.2", EITHER)
        if 0 in properties.get("SubscriptionIdentifier", []):
            body.note("3.3.2.3.8", PROTOCOL_ERROR)
        response_topic = properties.get("ResponseTopic")
        if response_topic is not None and (not response_topic or set(response_topic) & {"+", "#"}):
            body.note("3.3.2.3.5", EITHER)
        alias = properties.get("TopicAlias")
        if alias is not None:
            if not 0 < alias <= self._most:
                body.note("3.3.2.3.4", frozenset({148}))
            if topic:
                self._aliases[alias] = topic
            topic = topic or self._aliases.get(alias, "")
        if not topic:
            body.note("3.3.2.1", PROTOCOL_ERROR)
        return topic

    def _check_first(self, first: int, unfinished: str) -> None:
        kind, flags = first >> 4, first & 15
        if kind == _PUBLISH:
            if flags >> 1 & 3 == 3:
                raise Wrong({f"3.3.1.2{unfinished}": MALFORMED})
            if flags & 8 and not flags & 6:
                raise Wrong({f"3.3.1.1{unfinished}": MALFORMED})
        elif kind not in _OF_A_SERVER or (kind >= _DISCONNECT and not self._v5):
            raise Wrong({f"2.1.2{unfinished}": EITHER})
        elif flags != (2 if kind == _PUBREL else 0):
            raise Wrong({f"2.1.3{unfinished}": MALFORMED})

    @staticmethod
    def _body(packet: bytes) -> _Bytes:
        body = _Bytes(packet[1:])
        body.vbi(minimal=False)
        return body
