"""What the asyncio designs have in common: props with the same actions as our workers, found by topic and by name."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Final, Protocol

__all__ = ["ALL_COMMANDS", "KEEPALIVE_S", "Design", "Prop", "handle", "main", "make_props"]

ALL_COMMANDS: Final = "halloween/+/cmd"
#: Seconds, as our host's by default, so that all designs send as many pings.
KEEPALIVE_S: Final = 10

#: topic, payload, qos, retain
Publish = Callable[[str, str, int, bool], object]

_log: Final = logging.getLogger(__name__)


class Prop:
    """The same actions as `native_worker.py` and `asyncio_worker.py` have."""

    def __init__(self, prop_id: str, publish: Publish) -> None:
        self.prop_id = prop_id
        self._publish = publish

    def telemetry(self, key: str, value: object, qos: int = 0, retain: bool = False) -> None:
        self._publish(f"halloween/{self.prop_id}/telemetry/{key}", str(value), qos, retain)

    def say_available(self, word: str) -> None:
        self._publish(f"halloween/{self.prop_id}/status/availability", word, 1, True)

    async def do_blink(self, arg: object) -> None:
        self.telemetry("blink", arg)

    async def do_pause(self, arg: object) -> None:
        await asyncio.sleep(0)
        self.telemetry("blink", arg)

    async def do_stream(self, arg: object) -> None:
        for number in range(int(str(arg))):
            self.telemetry("blink", number)
            if number % 100 == 99:
                await asyncio.sleep(0)


def make_props(count: int, publish: Publish) -> dict[str, Prop]:
    """`count` props by id, `w0` first."""
    return {prop_id: Prop(prop_id, publish) for prop_id in (f"w{number}" for number in range(count))}


async def handle(props: dict[str, Prop], topic: str, payload: bytes | bytearray) -> None:
    """Read a command, find its handler by name and await it; what goes wrong is a line in the log."""
    try:
        command = json.loads(payload)
        prop = props[topic.split("/")[1]]
        handler = getattr(prop, f"do_{command['action']}")
        await handler(command.get("args"))
    except Exception:  # noqa: BLE001 (one bad command must not end the host)
        _log.exception("%s: %r", topic, payload)


class Design(Protocol):
    """A host of one design."""

    async def start(self, port: int) -> None:
        """Connect, subscribe, and say `online` of each prop."""

    async def stop(self) -> None:
        """Say `offline` of each prop and disconnect, when all is out."""


def main(make: Callable[[int], Design], arguments: Sequence[str] | None = None) -> None:
    """Run a host with that many props until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_run(make, options.port, options.workers))


async def _run(make: Callable[[int], Design], port: int, workers: int) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    design = make(workers)
    await design.start(port)
    await told.wait()
    await design.stop()
