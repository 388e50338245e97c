"""The other end of the wire, in a thread of its own: a broker that is never the limit, and a phone that commands props.

Both are MQTT spelt by hand over a blocking socket, so that nothing of theirs is counted: a meter counts in its own thread.
"""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Final, Self

from halloween_host.mqtt import ProtocolVersion

__all__ = ["TOPIC", "Phone", "Stub", "stream_of"]

DEADLINE_S: Final = 30.0
TOPIC: Final = "halloween/coffin/telemetry/temperature"

_CONNACK: Final = {ProtocolVersion.V311: b"\x20\x02\x00\x00", ProtocolVersion.V5: b"\x20\x03\x00\x00\x00"}


def publish_frame(
    topic: str, payload: bytes, *, mid: int = 0, version: ProtocolVersion = ProtocolVersion.V311
) -> bytes:
    """A PUBLISH (MQTT 3.1.1, section 3.3) shorter than 128 bytes, at QoS 1 when it has a `mid`."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if mid else b"")
    body += (b"\0" if version is ProtocolVersion.V5 else b"") + payload
    assert len(body) < 128
    return bytes([0x32 if mid else 0x30, len(body)]) + body


def stream_of(messages: int, qos: int, version: ProtocolVersion) -> bytes:
    """So many messages on `TOPIC`."""
    numbers = range(1, messages + 1)
    return b"".join(publish_frame(TOPIC, b"21.5", mid=number * qos, version=version) for number in numbers)


class Stub:
    """Serves one connection: `feed` it bytes to send, or let it take and acknowledge what comes."""

    def __init__(self, version: ProtocolVersion) -> None:
        self._version = version
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self._thread = threading.Thread(target=self._run, name="stub broker", daemon=True)
        self._connected = threading.Event()
        self._feed = b""
        self._fed = threading.Event()
        #: Set once the kernel holds all that it takes of what was fed.
        self.full = threading.Event()
        #: How many PUBLISH packets, or acknowledgements, came.
        self.taken = 0

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._fed.set()
        self._listener.close()
        self._thread.join(DEADLINE_S)

    def feed(self, frames: bytes) -> None:
        """Send all of it, as fast as it is taken; returns once the kernel's buffers are full."""
        self._feed = frames
        self._fed.set()
        self.full.wait(DEADLINE_S)

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            connection.recv(4096)  # CONNECT
            connection.sendall(_CONNACK[self._version])
            taker = threading.Thread(target=self._take, args=(connection,), name="stub broker's ear", daemon=True)
            taker.start()
            self._fed.wait(DEADLINE_S)
            self._send(connection, self._feed)
            taker.join(DEADLINE_S)

    def _send(self, connection: socket.socket, frames: bytes) -> None:
        sent = 0
        try:
            while sent < len(frames):
                sent += connection.send(frames[sent : sent + 65_536], socket.MSG_DONTWAIT)
        except BlockingIOError:
            self.full.set()
        self.full.set()
        try:
            connection.sendall(frames[sent:])
        except ConnectionError:
            return

    def _take(self, connection: socket.socket) -> None:
        """Count packets shorter than 130 bytes until DISCONNECT, and acknowledge each PUBLISH at QoS 1."""
        rest = b""
        while piece := connection.recv(262_144):
            rest += piece
            acks, at = [], 0
            while len(rest) - at >= 2 and len(rest) - at >= 2 + rest[at + 1]:
                first, length = rest[at], rest[at + 1]
                if first & 0xF0 in (0x30, 0x40):
                    self.taken += 1
                if first & 0xF6 == 0x32:
                    name = at + 4 + int.from_bytes(rest[at + 2 : at + 4], "big")
                    acks.append(b"\x40\x02" + rest[name : name + 2])
                at += 2 + length
            rest = rest[at:]
            if acks:
                connection.sendall(b"".join(acks))


class Phone:
    """A client by MQTT 3.1.1 of a real broker: commands props, and hears what they say at QoS 0."""

    def __init__(self, port: int, topic_filter: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._socket.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")  # the broker chooses its client id
        self._packets(1)
        name = topic_filter.encode()
        self._socket.sendall(bytes([0x82, 5 + len(name), 0, 1]) + len(name).to_bytes(2, "big") + name + b"\x00")
        self._packets(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def command(self, *commands: tuple[str, str]) -> None:
        """Send `(prop_id, payload)` at QoS 0, all in as few pieces as may be."""
        frames = [publish_frame(f"halloween/{prop_id}/cmd", payload.encode()) for prop_id, payload in commands]
        self._socket.sendall(b"".join(frames))

    def hear(self, messages: int) -> list[bytes]:
        """Wait for so many messages; each with its topic's length, its topic and its payload."""
        return self._packets(messages)

    def ask(self, prop_id: str, payload: str, times: int = 1) -> None:
        """Command a prop, each time after the answer to the last command came."""
        for _ in range(times):
            self.command((prop_id, payload))
            self.hear(1)

    def wait_for_online(self, count: int) -> None:
        """Until so many have said that they are, on whatever topics it hears."""
        online: set[bytes] = set()
        while len(online) < count:
            (word,) = self.hear(1)
            online |= {word} if word.endswith(b"online") else set()

    def _packets(self, count: int) -> list[bytes]:
        """The bodies of the next packets, each shorter than 128 bytes."""
        found: list[bytes] = []
        while True:
            at = 0
            while len(found) < count and len(self._rest) - at >= 2 and len(self._rest) - at >= 2 + self._rest[at + 1]:
                length = self._rest[at + 1]
                found.append(self._rest[at + 2 : at + 2 + length])
                at += 2 + length
            self._rest = self._rest[at:]
            if len(found) == count:
                return found
            piece = self._socket.recv(262_144)
            assert piece, "the broker closed the phone's connection"
            self._rest += piece
