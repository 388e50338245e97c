"""What the rows beside it share: a broker of their own, ears on it, and what the host's log says of a trouble."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from faults.harness._rows import FaultError, Finding, Limit
from halloween_host import topics
from tests.audience import Audience, attending
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

#: Seconds that a promise is waited for, before it counts as not kept.
PATIENCE_S: Final = 60.0
#: Seconds until a command is sent again to who did not answer.
AGAIN_S: Final = 0.2
#: What is heard of every prop.
WORDS: Final = ("telemetry/pong", "status/availability", "status/health", "status/error", "status/warn")

#: Answers, and ticks ten times a second.
LAMP: Final = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._tick)

    async def _tick(self):
        while True:
            self.telemetry("tick", 1)
            await anyio.sleep(0.1)

    async def do_ping(self, arg):
        self.telemetry("pong", arg)
"""

_numbers: Final = itertools.count(1)


def new_haunt(folder: Path, props: Mapping[str, str]) -> Haunt:
    """A haunt with these workers: source by prop id."""
    haunt = Haunt(folder)
    for prop_id, source in props.items():
        haunt.prop(prop_id, source)
    return haunt


@contextmanager
def running(broker: Mosquitto) -> Iterator[Mosquitto]:
    """The broker from here to the end of the `with`."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def audience_of(broker: Mosquitto, *keys: str, **login: str) -> AbstractAsyncContextManager[Audience]:
    """One that hears these topics of every prop, `WORDS` when none is given; see `attending`."""
    return attending(broker, *(f"halloween/+/{key}" for key in keys or WORDS), **login)


async def ask(audience: Audience, prop_id: str, within_s: float = PATIENCE_S) -> float:
    """Command it once; seconds until its answer was heard, `within_s` when it was not."""
    began, after = time.monotonic(), len(audience.seen)
    number = await _ping(audience, prop_id)
    pong = topics.telemetry(prop_id, "pong")
    answer = await heard(audience, pong, lambda payload: int(payload) == number, within_s, after=after)
    return within_s if answer is None else answer - began


async def until_answered(audience: Audience, prop_id: str) -> float:
    """Command it again and again; seconds until it answered one of them, `PATIENCE_S` when it never did."""
    began, after, first, answer = time.monotonic(), len(audience.seen), next(_numbers), None
    pong = topics.telemetry(prop_id, "pong")
    while answer is None and time.monotonic() - began < PATIENCE_S:
        await _ping(audience, prop_id)
        answer = await heard(audience, pong, lambda payload: int(payload) > first, AGAIN_S, after=after)
    return PATIENCE_S if answer is None else answer - began


async def _ping(audience: Audience, prop_id: str) -> int:
    number = next(_numbers)
    await audience.client.publish(topics.command(prop_id), f"ping {number}", qos=1)
    return number


async def heard(
    audience: Audience, topic: str, fits: Callable[[str], bool], within_s: float = PATIENCE_S, *, after: int = 0
) -> float | None:
    """When the first message on `topic` that fits was heard, of what was seen from number `after` on; None: not in time."""
    with trio.move_on_after(within_s):
        return (await audience.first(lambda each: each.topic == topic and fits(each.payload), topic, after=after)).at
    return None


async def heard_surely(audience: Audience, topic: str, fits: Callable[[str], bool], what: str) -> float:
    """As `heard`.

    Raises:
        FaultError: when it was not; `what` names it.
    """
    at = await heard(audience, topic, fits)
    if at is None:
        raise FaultError(f"not heard in {PATIENCE_S:g} s: {what}")
    return at


@attrs.frozen
class Logged:
    """One line of the host's log; `at` is this machine's monotonic clock, in seconds."""

    at: float
    level: str
    worker: str
    event: str


def logged(host: HostProcess, after: int = 0) -> list[Logged]:
    """Its log from line number `after` on, where it was started with `LOG_FORMAT=json`; other output is passed over."""
    lines = [json.loads(line) for line in host.lines[after:] if line.startswith('{"timestamp"')]
    return [_logged(line) for line in lines]


def _logged(line: dict[str, Any]) -> Logged:
    wall = datetime.fromisoformat(line["timestamp"]).timestamp()
    return Logged(time.monotonic() - (time.time() - wall), line["level"], line.get("worker", ""), line["event"])


def troubles(host: HostProcess, after: int) -> list[str]:
    """What it warned of, or called an error, from line number `after` on."""
    return [each.event for each in logged(host, after) if each.level not in ("debug", "info")]


def kept(promise: str, broken: list[bool]) -> Finding:
    """A promise that holds or not: once for each time."""
    return Finding(promise, [float(each) for each in broken], unit="times broken", limits=(Limit("sum", 0),))
