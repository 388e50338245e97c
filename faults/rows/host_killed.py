"""A host with props of both dialects is killed by SIGKILL; a subscriber waits for what the broker says for it."""

from __future__ import annotations

import random
import signal
import time
from typing import Final

import trio

from faults.harness import Fault, Finding, Limit, Scene
from faults.rows._props import LAMP, both
from faults.rows._yard import running
from tests.audience import attending
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

PROPS: Final = tuple(f"prop{number:02}" for number in range(20))
#: Seconds that it lives on at most once all are online: the kill comes at no moment of its choice.
LIVES_S: Final = 0.2


async def measure(scene: Scene) -> list[Finding]:
    """Each kill is of a host that has just come up whole; what counts is the last of its props and itself."""
    folder = scene.folder()
    haunt = Haunt(folder)
    for number, prop in enumerate(PROPS):
        haunt.prop(prop, both(LAMP, number))
    told = (*PROPS, "worker_host")
    last: list[float] = []
    with running(Mosquitto(folder=folder)) as broker:
        async with attending(broker, "halloween/+/status/availability") as audience:
            for _ in scene.counted():
                born = len(audience.seen)
                async with haunt.host(broker) as host:
                    await audience.each_says("online", told, after=born)
                    await trio.sleep(random.uniform(0, LIVES_S))
                    killed, at = len(audience.seen), time.monotonic()
                    host.signal(signal.SIGKILL)
                    said = await audience.each_says("offline", told, after=killed)
                last.append(max(said.values()) - at)
    return [Finding("every prop's `offline` seen", last, "s", (Limit("max", 1.0),))]


FAULTS = (Fault("host-killed", "host SIGKILLed", times=100, quick_times=2, measure=measure),)
