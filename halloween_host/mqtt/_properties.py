"""Properties of MQTT 5 as they come in, checked as section 2.2.2 demands and handed out as paho's `Properties`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final

import attrs
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ._errors import MALFORMED_PACKET, PROTOCOL_ERROR, ProtocolViolation
from ._topics import check_topic

__all__ = ["ACK", "PUBLISH", "PropertySet", "read_length", "read_properties", "too_short"]

#: Takes bytes, a position and the end of all properties; returns the value and the position after it.
_Read = Callable[[bytes, int, int], tuple[Any, int]]


def too_short() -> ProtocolViolation:
    """For a packet whose parts do not fit into it."""
    return ProtocolViolation(MALFORMED_PACKET, "a packet that is shorter than what it holds")


def read_length(data: bytes, at: int, end: int, *, minimal: bool) -> tuple[int, int]:
    """A variable byte integer and the position after it; -1 when it goes on after `end`.

    Raises:
        ProtocolViolation: when it is longer than four bytes or, with `minimal`, than it need be (MQTT 5, section 1.5.5).
    """
    value = shift = 0
    for position in range(at, min(at + 4, end)):
        byte = data[position]
        value |= (byte & 127) << shift
        if byte < 128:
            if minimal and not byte and shift:
                raise ProtocolViolation(MALFORMED_PACKET, "a length with more bytes than it needs")
            return value, position + 1
        shift += 7
    if shift == 28:
        raise ProtocolViolation(MALFORMED_PACKET, "a length of more than four bytes")
    return -1, end


def _number(size: int, allowed: Callable[[int], bool] = lambda value: True) -> _Read:
    def read(data: bytes, at: int, end: int) -> tuple[int, int]:
        if at + size > end:
            raise too_short()
        value = int.from_bytes(data[at : at + size], "big")
        if not allowed(value):
            raise ProtocolViolation(PROTOCOL_ERROR, f"a property whose value is {value}")
        return value, at + size

    return read


def _binary(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    length, at = _number(2)(data, at, end)
    if at + length > end:
        raise too_short()
    return data[at : at + length], at + length


def _text(data: bytes, at: int, end: int) -> tuple[str, int]:
    raw, at = _binary(data, at, end)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ProtocolViolation(MALFORMED_PACKET, "a property that is no UTF-8") from None
    if "\0" in text:  # MQTT 5, section 1.5.4
        raise ProtocolViolation(MALFORMED_PACKET, "a property that holds a NUL")
    return text, at


def _topic(data: bytes, at: int, end: int) -> tuple[str, int]:
    text, at = _text(data, at, end)
    try:
        check_topic(text)
    except ValueError as error:  # MQTT 5, section 3.3.2.3.5
        raise ProtocolViolation(PROTOCOL_ERROR, f"response topic: {error}") from None
    return text, at


def _pair(data: bytes, at: int, end: int) -> tuple[tuple[str, str], int]:
    name, at = _text(data, at, end)
    value, at = _text(data, at, end)
    return (name, value), at


def _identifier(data: bytes, at: int, end: int) -> tuple[int, int]:
    value, at = read_length(data, at, end, minimal=True)
    if value < 0:
        raise too_short()
    if not value:  # MQTT 5, section 3.3.2.3.8
        raise ProtocolViolation(PROTOCOL_ERROR, "subscription identifier 0")
    return value, at


@attrs.frozen
class PropertySet:
    """The properties that one type of packet may have: by identifier their name, how they are read, whether they repeat."""

    readers: Mapping[int, tuple[str, _Read, bool]]
    blank: Properties


def _blank(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call] # paho's


PUBLISH: Final = PropertySet(
    {
        0x01: ("PayloadFormatIndicator", _number(1, lambda value: value < 2), False),
        0x02: ("MessageExpiryInterval", _number(4), False),
        0x03: ("ContentType", _text, False),
        0x08: ("ResponseTopic", _topic, False),
        0x09: ("CorrelationData", _binary, False),
        0x0B: ("SubscriptionIdentifier", _identifier, True),
        0x23: ("TopicAlias", _number(2), False),
        0x26: ("UserProperty", _pair, True),
    },
    _blank(PacketTypes.PUBLISH),
)
ACK: Final = PropertySet(
    {0x1F: ("ReasonString", _text, False), 0x26: ("UserProperty", _pair, True)}, _blank(PacketTypes.PUBACK)
)


def read_properties(allowed: PropertySet, data: bytes, at: int, stop: int) -> tuple[Properties | None, int]:
    """The properties that begin with their length at `at`, in a packet that ends at `stop`, and the position after them.

    Raises:
        ProtocolViolation: when they do not fit, are not allowed here, or come twice.
    """
    length, at = read_length(data, at, stop, minimal=True)
    end = at + length
    if length < 0 or end > stop:
        raise too_short()
    if not length:
        return None, at
    values: dict[str, Any] = {}
    while at < end:
        name, read, repeats = allowed.readers.get(data[at], (None, None, False))
        if name is None or read is None:
            raise ProtocolViolation(MALFORMED_PACKET, f"property {data[at]:#04x} where it may not stand")
        value, at = read(data, at + 1, end)
        if repeats:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise ProtocolViolation(PROTOCOL_ERROR, f"{name} twice in one packet")
        else:
            values[name] = value
    properties = copy(allowed.blank)  # its constructor makes two tables anew each time
    vars(properties).update(values)
    return properties, end
