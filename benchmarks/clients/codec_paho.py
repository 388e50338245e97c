"""Decode a stream of PUBLISH packets by paho's parser, fed from memory instead of a socket, PUBACKs included."""

from __future__ import annotations

from typing import Any, cast

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from benchmarks.clients._meter import Assignment, Meter
from benchmarks.clients._stream import stream


class Memory:
    """All that paho asks of a socket."""

    def __init__(self) -> None:
        self.data = b""
        self.at = 0

    def recv(self, size: int) -> bytes:
        if self.at >= len(self.data):
            raise BlockingIOError
        piece = self.data[self.at : self.at + size]
        self.at += len(piece)
        return piece

    def send(self, data: bytes) -> int:
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """Nothing to close."""


def decode(todo: Assignment) -> None:
    meter, seen = Meter(todo.count), 0
    last = b""

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        nonlocal seen, last
        seen += 1
        last = bytes(message.payload)

    memory = Memory()
    protocol = MQTTProtocolVersion.MQTTv5 if todo.v5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    client.on_message = on_message
    cast(Any, client)._sock = memory
    pieces = stream(todo.count, todo.qos, v5=todo.v5)
    meter.start()
    for piece in pieces:
        memory.data, memory.at = piece, 0
        while memory.at < len(piece):
            code = client.loop_read()
            if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
                raise RuntimeError(code)
            if client.want_write():
                client.loop_write()
    assert seen == todo.count
    meter.stop(last)


if __name__ == "__main__":
    decode(Assignment.given())
