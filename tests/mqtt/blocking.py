"""What tests of the blocking client share: its callbacks as a queue, a stranger who speaks, a broker by script."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from halloween_host.mqtt import BlockingClient, Message, MqttError
from tests.mosquitto import Mosquitto, program

__all__ = ["DEADLINE_S", "Heard", "Open", "serve", "speak", "until_end"]

DEADLINE_S = 20.0

Open = Callable[..., BlockingClient]


class Heard:
    """What a client's callbacks told, in order: messages, "subscribed", errors."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message | MqttError | str] = SimpleQueue()

    def client(self, host: str, port: int, **options: Any) -> BlockingClient:
        options = {"identifier": "guard", "filters": ["x"], "random_": lambda: 0.02, **options}
        return BlockingClient(
            host,
            port,
            on_message=self._queue.put,
            on_subscribed=lambda: self._queue.put("subscribed"),
            on_trouble=self._queue.put,
            **options,
        )

    def next(self, within_s: float = DEADLINE_S) -> Any:
        return self._queue.get(timeout=within_s)

    def until(self, wanted: Callable[[Any], bool]) -> Any:
        """The next one that fits; those before it are dropped."""
        deadline = time.monotonic() + DEADLINE_S
        while not wanted(one := self.next(deadline - time.monotonic())):
            pass
        return one

    def empty(self) -> bool:
        return self._queue.empty()


def speak(broker: Mosquitto, payload: str, *, topic: str = "x", retain: bool = False) -> None:
    """Publish as a stranger."""
    command = [program("mosquitto_pub"), *broker.client_options(), "-t", topic, "-m", payload, "-q", "1"]
    subprocess.run([*command, *(["-r"] if retain else [])], check=True, timeout=DEADLINE_S)


def serve(
    replies: list[Callable[[socket.socket, bytes], None]], tls: ssl.SSLContext | None = None
) -> tuple[int, threading.Thread]:
    """A broker of the test's own: each connection is answered by the next of `replies`, with what it sent first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            for reply in replies:
                connection, _ = listener.accept()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection, contextlib.suppress(ConnectionError):
                    connection.settimeout(DEADLINE_S)
                    reply(connection, connection.recv(4096))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread


def until_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass
