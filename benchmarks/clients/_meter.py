"""What every measured program has in common: its assignment from the command line, and the marks between which it counts."""

from __future__ import annotations

import json
import resource
import ssl
import sys
import time
from typing import Final

import attrs

#: What the receivers subscribe to.
FILTER: Final = "halloween/#"
#: How many tasks publish side by side, and what.
TASKS: Final = 100
PAYLOAD: Final = '{"action":"blink","arg":%d}'


@attrs.frozen
class Assignment:
    """PORT COUNT QOS VERSION CA: `count` messages at `qos`, by MQTT 311 or 5, over TLS unless CA is `-`."""

    port: int
    count: int
    qos: int
    v5: bool
    ca: str | None

    @classmethod
    def given(cls) -> Assignment:
        port, count, qos, version, ca = sys.argv[1:6]
        return cls(int(port), int(count), int(qos), version == "5", None if ca == "-" else ca)

    @property
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.ca) if self.ca else None


class Meter:
    """`start` at the first message and `stop` at the last: wall time and the CPU of the whole process between them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._began = 0.0
        self._cpu_began = 0.0

    def ready(self) -> None:
        """Say that messages may come."""
        say(ready=True)

    def start(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), cpu_s()

    def stop(self, last: bytes | None = None) -> None:
        """Say the result. `last` is the payload of the last message, which must be the last one that was sent."""
        seconds, used_s = time.perf_counter() - self._began, cpu_s() - self._cpu_began
        if last is not None and json.loads(last)["arg"] != self._count - 1:
            sys.exit(f"message {self._count} is not the last that was sent: {last!r}")
        say(result={"messages": self._count, "seconds": seconds, "cpu_s": used_s})


def topic_of(task: int) -> str:
    """The topic of one publishing task; there are 8."""
    return f"halloween/w{task % 8}/telemetry/event"


def cpu_s() -> float:
    """User and system time of all threads so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def say(**fact: object) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()
