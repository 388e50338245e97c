"""Decode a stream of PUBLISH packets by mqtt5 (sans-IO, written in Rust), and encode their PUBACKs; no socket."""

from __future__ import annotations

from mqtt5 import PubAckPacket, PublishPacket, read

from benchmarks.clients._meter import Assignment, Meter
from benchmarks.clients._stream import stream


def decode(todo: Assignment) -> None:
    meter, seen = Meter(todo.count), 0
    pieces = stream(todo.count, todo.qos, v5=True)
    buffer, acks = bytearray(), bytearray()
    meter.start()
    for piece in pieces:
        buffer += piece
        at = 0
        with memoryview(buffer) as view:
            while at < len(buffer):
                try:
                    packet, size = read(view[at:])
                except IndexError:  # mqtt5's word for a packet that is not whole
                    break
                at += size
                assert isinstance(packet, PublishPacket)
                if packet.packet_id is not None:
                    acks += PubAckPacket(packet.packet_id).write()
                seen += 1
        del buffer[:at]
        acks.clear()
    assert seen == todo.count
    meter.stop(packet.payload)


if __name__ == "__main__":
    decode(Assignment.given())
