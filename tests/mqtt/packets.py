"""MQTT packets as a broker sends them, right and wrong, drawn by hypothesis; encoded by nobody's code but this file's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import attrs
from hypothesis import strategies as st

from halloween_host.mqtt import PacketTypes, Properties, ProtocolVersion

__all__ = [
    "ALIASES",
    "PROPERTIES",
    "QOS_1_IN_FLIGHT",
    "QOS_2_IN_FLIGHT",
    "Kind",
    "Publish",
    "cuts",
    "facts",
    "frame",
    "mids",
    "pack_properties",
    "paho_properties",
    "payloads",
    "publishes",
    "spoilt_streams",
    "streams",
    "topics",
    "vbi",
]

Kind = Literal["byte", "u16", "u32", "vbi", "binary", "text", "pair"]

#: MQTT 5, table 2-4: each property's name (as paho spells it), its type, and whether PUBLISH may carry it.
PROPERTIES: Final[dict[int, tuple[str, Kind, bool]]] = {
    1: ("PayloadFormatIndicator", "byte", True),
    2: ("MessageExpiryInterval", "u32", True),
    3: ("ContentType", "text", True),
    8: ("ResponseTopic", "text", True),
    9: ("CorrelationData", "binary", True),
    11: ("SubscriptionIdentifier", "vbi", True),
    17: ("SessionExpiryInterval", "u32", False),
    19: ("ServerKeepAlive", "u16", False),
    31: ("ReasonString", "text", False),
    35: ("TopicAlias", "u16", True),
    36: ("MaximumQoS", "byte", False),
    38: ("UserProperty", "pair", True),
    39: ("MaximumPacketSize", "u32", False),
}

#: How many topic aliases the client under test offers.
ALIASES: Final = 5

#: Packet identifiers of publishes that the client under test waits for.
QOS_1_IN_FLIGHT: Final = range(1, 5)
QOS_2_IN_FLIGHT: Final = range(5, 9)

#: A property as it stands on the wire.
Property = tuple[int, Any]


def vbi(value: int) -> bytes:
    """A variable byte integer (MQTT 5, section 1.5.5)."""
    digits = []
    while True:
        value, digit = divmod(value, 128)
        digits.append(digit | (128 if value else 0))
        if not value:
            return bytes(digits)


def frame(first: int, body: bytes) -> bytes:
    """A whole packet."""
    return bytes([first]) + vbi(len(body)) + body


def pack_properties(properties: Sequence[Property]) -> bytes:
    """Properties in this order, with their length ahead."""
    body = b"".join(vbi(identifier) + _value(PROPERTIES[identifier][1], value) for identifier, value in properties)
    return vbi(len(body)) + body


def _value(kind: Kind, value: Any) -> bytes:
    match kind:
        case "byte":
            return bytes([value])
        case "u16":
            return int(value).to_bytes(2, "big")
        case "u32":
            return int(value).to_bytes(4, "big")
        case "vbi":
            return vbi(value)
        case "binary":
            return len(value).to_bytes(2, "big") + bytes(value)
        case "text":
            return _value("binary", value.encode())
        case "pair":
            return _value("text", value[0]) + _value("text", value[1])


@attrs.frozen
class Publish:
    """A PUBLISH; `mid` is of no account at QoS 0, `properties` of none under MQTT 3.1.1."""

    topic: str
    payload: bytes = attrs.field(
        default=b"", repr=lambda data: repr(data) if len(data) < 40 else f"<{len(data)} bytes>"
    )
    qos: int = 0
    retain: bool = False
    dup: bool = False
    mid: int = 1
    properties: tuple[Property, ...] = ()

    def encode(self, protocol: ProtocolVersion) -> bytes:
        head = _value("text", self.topic) + (self.mid.to_bytes(2, "big") if self.qos else b"")
        if protocol is ProtocolVersion.V5:
            head += pack_properties(self.properties)
        return frame(0x30 | self.dup << 3 | self.qos << 1 | self.retain, head + self.payload)


def paho_properties(properties: Sequence[Property]) -> Properties:
    """The same as paho's object."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    for identifier, value in properties:
        setattr(made, PROPERTIES[identifier][0], value)
    return made


def facts(properties: Properties | None) -> dict[str, Any]:
    """What an object of paho's says, for comparison: it has no equality of its own. None says as much as an empty one."""
    names = [name for name, _, _ in PROPERTIES.values()]
    return {name: getattr(properties, name) for name in names if hasattr(properties, name)}


#: Of one level and of more, of one byte a character and of more, with `$` and with spaces; no wildcards.
topics = st.sampled_from(["t", "halloween/fogger/cmd", "/", "$SYS/x", "größe/☃", "a b", "x" * 300]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0+#"), min_size=1, max_size=12
)

#: Lengths on either side of the limits of a remaining length of one and of two bytes are drawn often.
payloads = st.binary(max_size=30) | st.builds(
    lambda edge, less: bytes(edge - less), st.sampled_from([127, 128, 16_383, 16_384, 65_535]), st.integers(0, 20)
)
mids = st.sampled_from([1, 2, 65_535]) | st.integers(1, 65_535)

_text = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=12)

_VALUES: Final[dict[int, st.SearchStrategy[Any]]] = {
    1: st.integers(0, 1),
    2: st.integers(0, 2**32 - 1),
    3: _text,
    8: topics,
    9: st.binary(max_size=40),
    11: st.sampled_from([1, 127, 128, 268_435_455]) | st.integers(1, 268_435_455),
    38: st.tuples(_text, _text),
}
_MANY: Final = (11, 38)


@st.composite
def _properties(draw: st.DrawFn) -> tuple[Property, ...]:
    identifiers = draw(st.lists(st.sampled_from(sorted(_VALUES)), max_size=6))
    once = [each for index, each in enumerate(identifiers) if each in _MANY or each not in identifiers[:index]]
    return tuple((identifier, draw(_VALUES[identifier])) for identifier in once)


@st.composite
def publishes(draw: st.DrawFn, protocol: ProtocolVersion, known: set[int] | None = None) -> Publish:
    """One PUBLISH that is right where the aliases in `known` are set already; None: without aliases. Notes a new one there."""
    topic = draw(topics)
    properties: tuple[Property, ...] = ()
    if protocol is ProtocolVersion.V5 and draw(st.booleans()):
        properties = draw(_properties())
        if known is not None and draw(st.booleans()):
            alias = draw(st.integers(1, ALIASES))
            at = draw(st.integers(0, len(properties)))
            properties = (*properties[:at], (35, alias), *properties[at:])
            topic = "" if alias in known and draw(st.booleans()) else topic
            known.add(alias)
    qos = draw(st.integers(0, 2))
    dup = qos > 0 and draw(st.booleans())
    return Publish(topic, draw(payloads), qos, draw(st.booleans()), dup, draw(mids), properties)


#: What acknowledgements are about: publishes that the client has in flight, and some that it knows nothing of.
_ANSWERED: Final = {0x40: [*QOS_1_IN_FLIGHT, 999], 0x50: [*QOS_2_IN_FLIGHT, 999], 0x70: [*QOS_2_IN_FLIGHT, 999]}


@st.composite
def _others(draw: st.DrawFn, protocol: ProtocolVersion) -> bytes:
    """A packet that is no PUBLISH, right in its place."""
    first = draw(st.sampled_from([0x40, 0x40, 0x50, 0x62, 0x62, 0x70, 0x90, 0xB0, 0xD0]))
    mid = draw(st.sampled_from(_ANSWERED.get(first, [1, 2, 65_535]))).to_bytes(2, "big")
    if first == 0xD0:
        return frame(first, b"")
    if protocol is not ProtocolVersion.V5:
        codes = draw(st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1, max_size=3)) if first == 0x90 else []
        return frame(first, mid + bytes(codes))
    said = pack_properties(draw(st.sampled_from([(), ((31, "why"), (38, ("a", "b")))])))
    if first == 0x90:
        return frame(first, mid + said + bytes(draw(st.lists(st.sampled_from([0, 1, 2, 135]), min_size=1, max_size=3))))
    if first == 0xB0:
        return frame(first, mid + said + bytes(draw(st.lists(st.sampled_from([0, 17, 135]), min_size=1, max_size=3))))
    code = draw(st.sampled_from({0x40: [0, 16, 135], 0x50: [0, 16, 135]}.get(first, [0, 146])))
    return frame(first, draw(st.sampled_from([mid, mid + bytes([code]), mid + bytes([code]) + said])))


@st.composite
def streams(draw: st.DrawFn, protocol: ProtocolVersion) -> list[Publish | bytes]:
    """What a broker sends after its CONNACK; perhaps it ends by a DISCONNECT, or an AUTH that nobody asked for."""
    known: set[int] = set()
    packets: list[Publish | bytes] = []
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["publish", "publish", "release", "other"]))
        waiting = [each.mid for each in packets if isinstance(each, Publish) and each.qos == 2]
        if kind == "publish":
            packets.append(draw(publishes(protocol, known)))
        elif kind == "release" and waiting:
            packets.append(b"\x62\x02" + draw(st.sampled_from(waiting)).to_bytes(2, "big"))
        else:
            packets.append(draw(_others(protocol)))
    last = draw(st.sampled_from([b"", b"", b"", b"\xe0\x00", b"\xe0\x01\x8b", b"\xf0\x00"]))
    return [*packets, last] if last else packets


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, none of them empty; whole, or byte by byte, every now and then."""
    if len(data) < 2 or draw(st.integers(0, 5)) == 0:
        return [data] if data else []
    if len(data) < 300 and draw(st.integers(0, 5)) == 0:
        return [data[index : index + 1] for index in range(len(data))]
    places = sorted(draw(st.sets(st.integers(1, len(data) - 1), max_size=8)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


_BAD_TOPICS: Final = (b"", b"\xff", b"a\0", b"a/#", b"+", b"\xed\xa0\x80", b"\xc0\x80", "\ufeff".encode(), b"\x01")
#: Properties that PUBLISH may not have, or not so, as they stand on the wire (without their length).
_BAD_PROPERTIES: Final = (
    b"\x23\x00\x00",  # topic alias 0
    b"\x23\x00\x06",  # one beyond `ALIASES`
    b"\x23\xff\xff",
    b"\x23\x00\x01\x23\x00\x02",  # twice
    b"\x01\x02",  # payload format 2
    b"\x01\x01\x01\x01",
    b"\x0b\x00",  # subscription identifier 0
    b"\x0b\x80\x80\x80\x80\x01",  # five bytes
    b"\x11\x00\x00\x00\x01",  # not for PUBLISH
    b"\x7f\x00",  # no such property
    b"\x03\x00\x05abc",  # text longer than the properties
    b"\x03\x00\x01\xff",
    b"\x03\x00\x01\x00",
    b"\x08\x00\x01\x00",
    b"\x09\x00\x05abc",
    b"\x26\x00\x01a",  # half a pair
    b"\x02\x00",
    b"\x23",
)


@st.composite
def _wrong(draw: st.DrawFn, protocol: ProtocolVersion) -> bytes:
    """A PUBLISH of parts, some of them wrong."""
    topic = draw(st.sampled_from([b"t", b"t", *_BAD_TOPICS]))
    flags = draw(st.integers(0, 15))
    body = len(topic).to_bytes(2, "big") + topic
    if flags & 6:
        body += draw(st.sampled_from([b"\0\1", b"\0\0"]))
    if protocol is ProtocolVersion.V5:
        said = draw(st.sampled_from([b"", b"\x23\x00\x01", *_BAD_PROPERTIES]))
        body += vbi(len(said)) + said
    body += b"payload"
    return frame(0x30 | flags, body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body)


@st.composite
def spoilt_streams(draw: st.DrawFn, protocol: ProtocolVersion) -> bytes:
    """A stream in which something is, most likely, against the specification: a wrong PUBLISH, flipped bytes, a wrong length."""
    parts = [p.encode(protocol) if isinstance(p, Publish) else p for p in draw(streams(protocol))]
    match draw(st.sampled_from(["wrong", "wrong", "flipped", "length", "tail"])):
        case "wrong":
            parts.insert(draw(st.integers(0, len(parts))), draw(_wrong(protocol)))
        case "flipped" if parts:
            data = bytearray(b"".join(parts))
            for _ in range(draw(st.integers(1, 3))):
                data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
            return bytes(data)
        case "length":
            length = draw(
                st.sampled_from([b"\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80", b"\x83\x00", b"\x00", b"\x01"])
            )
            parts.insert(draw(st.integers(0, len(parts))), b"\x30" + length + b"\0\1t" + bytes(3))
        case _:
            parts.append(draw(st.binary(max_size=20)))
    return b"".join(parts)
