"""A broker that is slow, full, or refuses us for a while, under a host that says more than ever gets through."""

from __future__ import annotations

import json
import math
import re
import resource
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from faults.harness._rows import Fault, FaultError, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._slow import slow_way
from faults.rows._yard import LAMP, audience_of, heard_surely, new_haunt, running, troubles, until_answered
from halloween_host import topics
from halloween_host.mqtt import Client, MqttError
from tests.audience import Audience
from tests.doors.guests import users
from tests.end_to_end.process import HostProcess
from tests.end_to_end.test_overload import memory_mib
from tests.mosquitto import Mosquitto

__all__ = ["FAULTS"]

#: Posts 5,000 values a second of half a kilobyte on 100 topics, 20 MiB in 8 s, and pictures that a full broker has no room for.
CHATTER: Final = """\
import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.spawn(self._chat)

    async def _chat(self):
        number = 0
        while True:
            for _ in range(50):
                number += 1
                self.telemetry(f"noise/{number % 100}", f"{number:0500}")
            self.telemetry("picture", f"{number:016000}", qos=1)
            await anyio.sleep(0.01)
"""
PROPS: Final = {"chatter": CHATTER, "lamp": LAMP, "quiet": LAMP}
#: MiB that the host may grow by: a full outbox is 7 of them; all that is said in a trouble would be 40 a minute, and pictures 90.
GROWTH_MIB: Final = 24.0
#: Lines of log about a trouble: that the broker is lost, with why it cannot be reached. No other connection of the host adds one.
LINES: Final = 1
#: Seconds until a command is answered again: the back-off's cap.
BACK_S: Final = 10.0
#: The same after a broker that was full: it cuts us without a word, as one does to whom another client takes its client id, and the
#: back-off after that is longer.
BACK_FROM_FULL_S: Final = 30.0

#: Bytes of the broker's heap when it is to be full, and of each message that fills it.
HEAP_BYTES: Final = 8_000_000
HOARD_BYTES: Final = 4_000

NAMES: Final = ("ghost", "audience")
ALL: Final = ("user audience", "topic readwrite #")
ALLOWED: Final = (*ALL, "user ghost", "topic readwrite #")


@attrs.frozen
class Trouble:
    """`begin` and `end` make it and take it away again."""

    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]


@attrs.define
class Spells:
    """What was seen of a trouble, each time."""

    grown_mib: list[float] = attrs.Factory(list)
    lines: list[float] = attrs.Factory(list)
    repeated: list[float] = attrs.Factory(list)
    back_s: list[float] = attrs.Factory(list)

    def findings(self, back_s: float) -> list[Finding]:
        return [
            Finding("the host's memory grows by", self.grown_mib, unit="MiB", limits=(Limit("max", GROWTH_MIB),)),
            Finding("lines of log that were said before", self.repeated, unit="lines", limits=(Limit("sum", 0),)),
            Finding("lines of log about it", self.lines, unit="lines", limits=(Limit("max", LINES),)),
            Finding("a command is answered after it", self.back_s, unit="s", limits=(Limit("max", back_s),)),
        ]


async def spells(
    scene: Scene,
    lasts_s: float,
    start: Callable[[], HostProcess],
    audience: Audience,
    trouble: Trouble,
    back_s: float = BACK_S,
) -> list[Finding]:
    """The trouble over and over, each time for so many seconds and under a new host, and a command after it."""
    seen = Spells()
    for _ in scene.counted():
        audience.seen.clear()
        async with start() as host:
            for prop_id in PROPS:
                await heard_surely(audience, topics.availability(prop_id), "online".__eq__, f"{prop_id} is online")
            before_mib, after = memory_mib(host, "VmRSS"), len(host.lines)
            await trouble.begin()
            await trio.sleep(min(lasts_s, 4.0) if scene.quick else lasts_s)
            await trouble.end()
            seen.back_s.append(await until_answered(audience, "lamp"))
            seen.grown_mib.append(memory_mib(host, "VmHWM") - before_mib)
            said = [re.sub(r"\d+", "#", each) for each in troubles(host, after)]
            seen.lines.append(len(said))
            seen.repeated.append(len(said) - len(set(said)))
            await host.stop()
    return seen.findings(back_s)


async def slow(scene: Scene) -> list[Finding]:
    """All connections of the host together have 1 kB/s each way."""
    with running(Mosquitto(folder=scene.folder())) as broker:
        async with audience_of(broker) as audience, slow_way(broker) as way:

            async def begin() -> None:
                way.bytes_per_s = 1000

            async def end() -> None:
                way.bytes_per_s = math.inf

            haunt = new_haunt(scene.folder(), PROPS)
            start = partial(haunt.host, broker, MQTT_PORT=str(way.port), LOG_FORMAT="json", MQTT_KEEPALIVE="4")
            return await spells(scene, 12, start, audience, Trouble(begin, end))


async def full(scene: Scene) -> list[Finding]:
    """What waits for a guest who is away fills the broker's memory, until he comes for it."""
    folder = scene.folder()
    with running(Mosquitto(folder=folder, config_lines=[f"memory_limit {HEAP_BYTES}"])) as broker:
        async with audience_of(broker) as audience:

            async def begin() -> None:
                async with Client(broker.host, broker.port, identifier="hoarder", clean_session=False) as hoarder:
                    await hoarder.subscribe("hoard", 1)
                with trio.move_on_after(30):
                    await fill(broker)
                    return
                raise FaultError(f"the broker takes more than its {HEAP_BYTES:,} bytes")

            async def end() -> None:
                async with Client(broker.host, broker.port, identifier="hoarder"):
                    return

            haunt = new_haunt(scene.folder(), PROPS)
            start = partial(haunt.host, broker, LOG_FORMAT="json")
            return await spells(scene, 4, start, audience, Trouble(begin, end), BACK_FROM_FULL_S)


async def fill(broker: Mosquitto) -> None:
    try:
        async with Client(broker.host, broker.port, identifier="filler") as filler:
            while True:
                await filler.publish("hoard", bytes(HOARD_BYTES), 1)
    except MqttError:
        return


async def crowded(scene: Scene) -> list[Finding]:
    """The broker may open no more files than it has before the first client, and the host is cut."""
    with running(Mosquitto(folder=scene.folder())) as broker:
        files = open_files(broker)
        most = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
        async with audience_of(broker) as audience, slow_way(broker) as way:

            async def begin() -> None:
                resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (files, most[1]))
                await way.cut(for_s=0.2)

            async def end() -> None:
                resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, most)

            start = partial(new_haunt(scene.folder(), PROPS).host, broker, MQTT_PORT=str(way.port), LOG_FORMAT="json")
            return await spells(scene, 4, start, audience, Trouble(begin, end))


def open_files(broker: Mosquitto) -> int:
    return sum(1 for _ in Path(f"/proc/{broker.pid}/fd").iterdir())


async def refused_by_acl(scene: Scene) -> list[Finding]:
    """The host's user may neither read nor write anything, from one moment to the next.

    What is refused is said for each worker, once a minute: an ACL may allow the others all that they say.
    """
    with running(Mosquitto(folder=scene.folder(), users=users(*NAMES), acl=ALLOWED)) as broker:

        async def begin() -> None:
            broker.change(acl=ALL)

        async def end() -> None:
            broker.change(acl=ALLOWED)

        return await with_a_user(scene, 2, broker, Trouble(begin, end))


async def started_refused(scene: Scene) -> list[Finding]:
    """As above, and the host has not been there before: nothing that it is or was stands on the broker.

    One prop has a connection of its own; the others share the host's.
    """
    online_s, healthy_s = list[float](), list[float]()
    for _ in scene.counted():
        broker = Mosquitto(folder=scene.folder(), users=users(*NAMES), acl=ALL)
        with running(broker):
            start = new_host(scene, broker, PRESENCE_MAX="1")
            async with audience_of(broker, **login("audience")) as audience, start as host:
                for prop_id in PROPS:
                    await host.expect_log("the broker refused", prop_id)
                broker.change(acl=ALLOWED)
                began = time.monotonic()
                said = await audience.each_says("online", PROPS)
                online_s += [at - began for at in said.values()]
                for prop_id in PROPS:
                    healthy = await heard_surely(audience, topics.health(prop_id), is_online, f"health of {prop_id}")
                    healthy_s.append(healthy - began)
                await host.stop()
    limits = (Limit("max", BACK_S + 1),)
    return [
        Finding("each prop is seen online after it", online_s, unit="s", limits=limits),
        Finding("its health says so", healthy_s, unit="s", limits=limits),
    ]


def is_online(health: str) -> bool:
    return str(json.loads(health)["state"]) == "online"


async def refused_by_password(scene: Scene) -> list[Finding]:
    """The broker knows another password for the host's user, and throws it out."""
    right = users(*NAMES)
    with running(Mosquitto(folder=scene.folder(), users=right)) as broker:

        async def begin() -> None:
            broker.change(users=right | {"ghost": "another"})

        async def end() -> None:
            broker.change(users=right)

        return await with_a_user(scene, 6, broker, Trouble(begin, end))


async def with_a_user(scene: Scene, lasts_s: float, broker: Mosquitto, trouble: Trouble) -> list[Finding]:
    async with audience_of(broker, **login("audience")) as audience:
        return await spells(scene, lasts_s, partial(new_host, scene, broker), audience, trouble)


def new_host(scene: Scene, broker: Mosquitto, **environ: str) -> HostProcess:
    ghost = login("ghost")
    environ |= {"MQTT_USERNAME": ghost["username"], "MQTT_PASSWORD": ghost["password"]}
    return new_haunt(scene.folder(), PROPS).host(broker, LOG_FORMAT="json", **environ)


def login(name: str) -> dict[str, str]:
    return {"username": name, "password": users(name)[name]}


FAULTS = (
    Fault("broker-slow", title="broker slow, 1 kB/s for 12 s", times=5, quick_times=1, measure=slow),
    Fault("broker-full", title="broker full, no memory for 4 s", times=5, quick_times=1, measure=full),
    Fault("broker-crowded", title="broker full, no descriptor free for 4 s", times=5, quick_times=1, measure=crowded),
    Fault("broker-acl", title="refused by ACL for 2 s", times=5, quick_times=1, measure=refused_by_acl),
    Fault("broker-acl-start", title="refused by ACL at the start", times=3, quick_times=1, measure=started_refused),
    Fault("broker-password", title="wrong password for 6 s", times=5, quick_times=1, measure=refused_by_password),
)
