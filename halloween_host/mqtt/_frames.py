"""PUBLISH, PUBACK and the signs of life as bytes (MQTT 3.1.1 and 5, sections 3.3, 3.4, 3.12 and 3.13).

Rules for this file: values in, bytes out; no socket, no event loop, no clock.
"""

from __future__ import annotations

from typing import Final

from paho.mqtt.properties import Properties

from ._topics import check_topic

__all__ = [
    "ACK_HEAD",
    "LARGEST_PACKET",
    "PINGREQ",
    "PINGRESP",
    "TopicBytes",
    "disconnect_frame",
    "encode_length",
    "publish_frame",
    "refuse_publish",
]

#: A PUBACK without its packet identifier; under MQTT 5 it means success.
ACK_HEAD: Final = b"\x40\x02"

PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"

#: Bytes of a packet at most: its first byte, a length of four bytes, and the largest remaining length (section 2.1.4).
LARGEST_PACKET: Final = 5 + 268_435_455

#: Topics remembered with their bytes; beyond it all are forgotten and encoded anew.
_KEPT: Final = 4096

_BYTES: Final = tuple(bytes((value,)) for value in range(256))


class TopicBytes(dict[str, bytes]):
    """Topics as they stand in a packet, each checked and encoded once.

    Raises (on a look-up):
        ValueError: for what no message may be published to.
    """

    def __missing__(self, topic: str) -> bytes:
        check_topic(topic)
        name = topic.encode()
        if len(self) >= _KEPT:
            self.clear()
        encoded = self[str(topic)] = len(name).to_bytes(2, "big") + name
        return encoded


def encode_length(length: int) -> bytes:
    """A variable byte integer (section 1.5.5 of MQTT 5)."""
    if length < 128:
        return _BYTES[length]
    out = bytearray()
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    out.append(length)
    return bytes(out)


def publish_frame(
    topic: bytes,
    payload: bytes,
    qos: int,
    retain: bool,
    mid: int,
    properties: Properties | None,
    v5: bool,
) -> bytes:
    """A PUBLISH of QoS 0 or 1 that goes out for the first time; `topic` is one of `TopicBytes`, `mid` counts at QoS 1.

    Its parts are right already, and together no longer than `LARGEST_PACKET`.
    """
    if not v5:
        extra = b""
    elif properties is None:
        extra = b"\0"
    else:
        extra = properties.pack()  # type: ignore[no-untyped-call] # paho's
    if qos:
        extra = mid.to_bytes(2, "big") + extra
    length = len(topic) + len(extra) + len(payload)
    shown = _BYTES[length] if length < 128 else encode_length(length)
    return b"".join((_BYTES[0x30 | qos << 1 | retain], shown, topic, extra, payload))


def refuse_publish(mid: int, reason_code: int) -> bytes:
    """A PUBACK of MQTT 5 that is no acknowledgement."""
    return b"\x40\x03" + mid.to_bytes(2, "big") + _BYTES[reason_code]


def disconnect_frame(reason_code: int) -> bytes:
    """A DISCONNECT of MQTT 5 with the reason why we leave (section 3.14)."""
    return b"\xe0\x01" + _BYTES[reason_code]
