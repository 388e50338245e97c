"""The bytes of many PUBLISH packets as a broker would send them, cut as a socket would hand them out."""

from __future__ import annotations

from collections.abc import Iterator

PIECE = 65_536


def stream(count: int, qos: int, *, v5: bool) -> list[bytes]:
    """`count` commands to 8 props, in pieces of 64 KiB that begin and end anywhere."""
    whole = b"".join(_packets(count, qos, v5))
    return [whole[at : at + PIECE] for at in range(0, len(whole), PIECE)]


def _packets(count: int, qos: int, v5: bool) -> Iterator[bytes]:
    for number in range(count):
        topic = f"halloween/w{number % 8}/cmd".encode()
        identifier = (number % 65_535 + 1).to_bytes(2, "big") if qos else b""
        payload = b'{"action":"blink","arg":%d}' % number
        body = len(topic).to_bytes(2, "big") + topic + identifier + b"\0" * v5 + payload
        assert len(body) < 128
        yield bytes((0x30 | qos << 1, len(body))) + body
