"""Workers of both dialects crash beside each other, in every way that there is, while siblings tick."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import attrs
import trio

from faults.harness import Fault, FaultError, Finding, Limit, Scene
from faults.rows._props import both
from faults.rows._yard import running
from halloween_host import topics
from tests.audience import Audience, Seen, attending
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

#: Where it crashes, and by what. In `start`: the start that follows a crash in a task.
WAYS: Final = (
    ("start", "RuntimeError"),
    ("task", "RuntimeError"),
    ("group", "RuntimeError"),
    ("task", "SystemExit"),
    ("task", "KeyboardInterrupt"),
)
#: Workers of each way, half of them of either dialect.
WORKERS: Final = 4
#: Seconds between two crashes of one worker: some twelve crashes a second of all.
PACE_S: Final = 1.6
CRASHING: Final = """\
import time

import anyio

from halloween_host import BaseWorker

armed = None


class Worker(BaseWorker):
    async def start(self):
        global armed
        await super().start()
        if armed is not None:
            number, armed = armed, None
            self._crash(number)

    def _crash(self, number):
        error = {each.__name__: each for each in (RuntimeError, SystemExit, KeyboardInterrupt)}[self.config["error"]]
        print("crash", self.prop_id, number, f"{time.monotonic():.6f}", flush=True)
        raise error(f"number {number}")

    async def _bomb(self, number):
        self._crash(number)

    async def _group(self, number):
        async with anyio.create_task_group() as group:
            group.start_soon(self._bomb, number)
            await anyio.sleep(3600)

    async def do_crash(self, number):
        global armed
        if self.config["where"] == "group":
            self.spawn(self._group, number)
            return
        if self.config["where"] == "start":
            armed, number = number, "before"
        self.spawn(self._bomb, number)
"""
#: Ticks ten times a second and tells by how many milliseconds it was late.
SIBLING: Final = """\
import time

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._tick)

    async def _tick(self):
        due, number = time.monotonic(), 0
        while True:
            self.telemetry("tick", f"{number} {1000 * (time.monotonic() - due):.3f}")
            number += 1
            due += 0.1
            await anyio.sleep(max(0, due - time.monotonic()))
"""
SIBLINGS: Final = ("sibling0", "sibling1", "sibling2", "sibling3")
#: Every crash is the first of its row for the restart budget, so that the pause is half a second at most.
EACH_THE_FIRST: Final = {"WORKER_RESTART_LIMIT": "1000000", "WORKER_RESTART_WINDOW_S": "0.0001"}


@attrs.frozen
class Crash:
    """One of a prop's crashes, as the subscriber saw it; seconds of the monotonic clock."""

    prop: str
    number: str
    offline_at: float
    online_at: float


@attrs.frozen
class Told:
    """What the host's process says of a crash: when its exception was raised, and the pause that followed."""

    at: float
    pause_s: float


async def measure(scene: Scene) -> list[Finding]:
    """`times` crashes, shared out among the workers."""
    folder = scene.folder()
    haunt = Haunt(folder)
    props = list(_furnish(haunt))
    seen: list[Crash] = []
    numbers = scene.counted()

    async def crash_again_and_again(audience: Audience, prop: str, index: int) -> None:
        await trio.sleep(0 if scene.quick else PACE_S * index / len(props))
        for number in numbers:
            seen.append(await _crash(audience, prop, str(number)))
            await trio.sleep(0 if scene.quick else PACE_S)

    with running(Mosquitto(folder=folder)) as broker:
        async with attending(broker) as audience, haunt.host(broker, **EACH_THE_FIRST) as host:
            await audience.each_says("online", (*props, *SIBLINGS))
            began = len(audience.seen)
            async with trio.open_nursery() as nursery:
                for index, prop in enumerate(props):
                    nursery.start_soon(crash_again_and_again, audience, prop, index)
            ticks = [each for each in audience.seen[began:] if each.topic.endswith("/telemetry/tick")]
            await host.stop()
    return _findings(seen, ticks, _told(host))


def _furnish(haunt: Haunt) -> Iterator[str]:
    for where, error in WAYS:
        for number in range(WORKERS):
            prop = f"{where}-{error.lower()}-{number}"
            haunt.prop(prop, both(CRASHING, number), config__yaml=f"where: {where}\nerror: {error}\n")
            yield prop
    for number, prop in enumerate(SIBLINGS):
        haunt.prop(prop, both(SIBLING, number))


async def _crash(audience: Audience, prop: str, number: str) -> Crash:
    """Of a crash in `start` the worker is offline before: `health` says it, with this crash's reason."""
    after = len(audience.seen)

    def offline(each: Seen) -> bool:
        if prop.startswith("start"):
            return (
                each.topic == topics.health(prop)
                and f'"start() crashed: RuntimeError: number {number} ' in each.payload
            )
        return each.topic == topics.availability(prop) and each.payload == "offline"

    await audience.client.publish(topics.command(prop), f"crash {number}", qos=1)
    gone = await audience.first(offline, f"offline of {prop}", after=after)

    def online(each: Seen) -> bool:
        return each.topic == topics.availability(prop) and each.payload == "online" and each.at >= gone.at

    back = await audience.first(online, f"online of {prop}", after=after)
    return Crash(prop, number, gone.at, back.at)


def _told(host: HostProcess) -> dict[tuple[str, str], Told]:
    """By prop and number. Each crash's pause is the next one that the log names for its prop."""
    crashes: dict[str, list[tuple[str, float]]] = defaultdict(list)
    told = {}
    for line in host.lines:
        if found := re.search(r"\bcrash (\S+) (\S+) ([\d.]+)$", line):
            crashes[found[1]].append((found[2], float(found[3])))
        elif (found := re.search(r"info\s+(\S+)\s+restarts in ([\d.]+) s$", line)) and crashes[found[1]]:
            number, at = crashes[found[1]][-1]
            told[found[1], number] = Told(at, float(found[2]))
    return told


def _findings(seen: list[Crash], ticks: list[Seen], told: dict[tuple[str, str], Told]) -> list[Finding]:
    if missing := [each for each in seen if (each.prop, each.number) not in told]:
        raise FaultError(f"the host's log does not tell of {len(missing)} crashes, of {missing[0]} for one")
    pairs = [(each, told[each.prop, each.number]) for each in seen]
    late = [float(each.payload.split()[1]) for each in ticks]
    return [
        Finding(
            "`offline` seen",
            [1000 * (each.offline_at - crash.at) for each, crash in pairs],
            "ms",
            (Limit("p50", 50), Limit("p99", 250)),
        ),
        Finding("siblings' ticks on time", late, "ms", (Limit("p99", 50), Limit("max", 250))),
        Finding("ticks that never came", [_lost(ticks, each) for each in SIBLINGS], "ticks", (Limit("sum", 0),)),
        Finding(
            "`online` seen after its back-off",
            [1000 * (each.online_at - crash.at - crash.pause_s) for each, crash in pairs],
            "ms",
            (Limit("p50", 100), Limit("p99", 300)),
        ),
        Finding(
            "back before its back-off",
            [float(each.online_at - crash.at < crash.pause_s - 0.05) for each, crash in pairs],
            "crashes",
            (Limit("sum", 0),),
        ),
    ]


def _lost(ticks: list[Seen], prop: str) -> float:
    numbers = [int(each.payload.split()[0]) for each in ticks if each.prop == prop]
    return numbers[-1] - numbers[0] + 1 - len(set(numbers)) if numbers else 1.0


FAULTS = (Fault("crashes", "worker crashes", times=1_000, quick_times=20, measure=measure),)
