"""Decode a stream of PUBLISH packets by our splitter, PUBACKs included; no socket."""

from __future__ import annotations

from benchmarks.clients._meter import Assignment, Meter
from benchmarks.clients._stream import stream
from halloween_host.mqtt import Message, ProtocolVersion
from halloween_host.mqtt._splitter import Splitter


def decode(todo: Assignment) -> None:
    meter, seen = Meter(todo.count), 0
    last: Message | None = None

    def deliver(messages: list[Message]) -> int:
        nonlocal seen, last
        seen += len(messages)
        last = messages[-1]
        return len(messages)

    out = bytearray()
    splitter = Splitter(
        ProtocolVersion.V5 if todo.v5 else ProtocolVersion.V311,
        deliver=deliver,
        send=out.extend,
        settled=lambda mid, code: None,
        other=lambda packet: True,
    )
    pieces = stream(todo.count, todo.qos, v5=todo.v5)
    meter.start()
    for piece in pieces:
        splitter.feed(piece)
        out.clear()
    assert seen == todo.count
    assert last is not None
    meter.stop(last.payload)


if __name__ == "__main__":
    decode(Assignment.given())
