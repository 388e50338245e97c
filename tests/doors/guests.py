"""A guest is somebody on the broker under a user name of his own; his password is that name, backwards."""

from __future__ import annotations

import subprocess

import trio

from tests.listener import Listener
from tests.mosquitto import Mosquitto, program

__all__ = ["Guest", "users"]


def users(*names: str) -> dict[str, str]:
    """What `Mosquitto` takes for these guests."""
    return {name: name[::-1] for name in names}


class Guest:
    """Publishes and listens as `name`, None for one without a name; `options` are added to mosquitto's programs'."""

    def __init__(self, broker: Mosquitto, name: str | None, password: str | None = None, *options: str) -> None:
        self._options = ["-h", broker.host, "-p", str(broker.port), *options]
        if name is not None:
            self._options += ["-u", name, "-P", name[::-1] if password is None else password]

    def listen(self, *topic_filters: str) -> Listener:
        command = [program("stdbuf"), "-oL", program("mosquitto_sub"), *self._options]
        return Listener(command, topic_filters)

    async def publish(self, topic: str, payload: str = "x", *more: str, version: str = "5") -> str:
        """Publish with QoS 1, and return what mosquitto_pub complained of: nothing when the broker took it."""
        command = [
            program("mosquitto_pub"),
            *self._options,
            "-V",
            version,
            "-q",
            "1",
            "-t",
            topic,
            "-m",
            payload,
            *more,
        ]
        ended = await trio.run_process(command, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
        return ended.stdout.decode()
