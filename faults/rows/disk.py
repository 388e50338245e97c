"""A disk that is full, folders that are read-only, no descriptor left: who needs them is degraded, and all of it comes back."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from faults.harness._rows import Fault, FaultError, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._slow import slow_way
from faults.rows._yard import (
    LAMP,
    PATIENCE_S,
    WORDS,
    ask,
    audience_of,
    heard,
    heard_surely,
    kept,
    new_haunt,
    running,
    troubles,
    until_answered,
)
from halloween_host import topics
from halloween_host.store import DATABASE
from tests.audience import Audience
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto
from tests.store.disk import Disk, NoDisk
from tests.store.listener import stored

__all__ = ["FAULTS"]

#: Seconds until it is said, on topics and in the log.
SAID_S: Final = 2.0
#: Seconds until a sibling answers meanwhile.
ANSWER_S: Final = 1.0
#: Seconds until it is well again: the store's longest wait between two tries.
BACK_S: Final = 6.0
#: Disks with room for SQLite's -wal, which grows to 4 MiB before its pages go into the database, and without.
LARGE_KIB: Final = 16_384
DISKS_KIB: Final = (256, 1_024, 4_096, LARGE_KIB)
#: Bytes that are stored while the disk has no room for them.
BIG: Final = 50_000

#: Files that a host may have open at once, and seconds that one worker has all of them.
FILES: Final = 96
HOARDS_S: Final = 4

KEEPER: Final = f"""{LAMP}
    async def do_put(self, value: str):
        self.store["value"] = value * {BIG // 10}
"""
HOARDER: Final = f"""{LAMP}
    def do_hoard(self, seconds: float):
        held, told, end = [], False, time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                if not told:
                    told = True
                    self.telemetry("hoard", error.strerror)
                time.sleep(0.005)
        for each in held:
            os.close(each)
        self.telemetry("let_go", time.monotonic(), qos=1)
""".replace("import anyio\n", "import os\nimport time\n\nimport anyio\n", 1)


@contextmanager
def small_disk(folder: Path, kib: int = LARGE_KIB) -> Iterator[Disk]:
    """
    Raises:
        FaultError: when none may be mounted: only root may.
    """
    try:
        disk = Disk.mount(folder, kib=kib)
    except NoDisk as error:
        raise FaultError(str(error)) from error
    try:
        yield disk
    finally:
        disk.unmount()


@attrs.define
class Told:
    """What was seen of a disk in trouble, each time."""

    degraded_s: list[float] = attrs.Factory(list)
    said_s: list[float] = attrs.Factory(list)
    lines: list[float] = attrs.Factory(list)
    answers_s: list[float] = attrs.Factory(list)
    back_s: list[float] = attrs.Factory(list)
    lost: list[bool] = attrs.Factory(list)
    dead: list[bool] = attrs.Factory(list)

    def findings(self, lines: int) -> list[Finding]:
        """`lines` may be said in the log at most."""
        said, answered = (Limit("max", SAID_S),), (Limit("max", ANSWER_S),)
        return [
            Finding("degraded in its health", self.degraded_s, unit="s", limits=said),
            Finding("said on worker_host/status/error", self.said_s, unit="s", limits=said),
            Finding("lines of log about it", self.lines, unit="lines", limits=(Limit("max", lines),)),
            Finding("all answer meanwhile", self.answers_s, unit="s", limits=answered),
            Finding("well again", self.back_s, unit="s", limits=(Limit("max", BACK_S),)),
            kept("all that was stored is on the disk then", self.lost),
            kept("nobody was offline or restarted", self.dead),
        ]

    async def see_trouble(self, audience: Audience, began: float, why: str) -> None:
        self.degraded_s.append(await heard_surely(audience, KEEPERS_HEALTH, degraded, "degraded") - began)
        said = await heard_surely(audience, topics.error(topics.HOST), lambda text: why in text, why)
        self.said_s.append(said - began)
        self.answers_s += [await ask(audience, prop_id) for prop_id in ("keeper", "lamp")]

    async def see_end(self, audience: Audience, host: HostProcess, file: Path, value: str, after: int) -> None:
        """`after` is the number of the host's first line about it."""
        ended, seen = time.monotonic(), len(audience.seen)
        well = await heard(audience, KEEPERS_HEALTH, lambda text: not degraded(text), after=seen)
        self.back_s.append(PATIENCE_S if well is None else well - ended)
        self.lost.append(stored(file, "keeper").get("value") != json.dumps(value))
        self.lines.append(len(troubles(host, after)))
        self.dead.append(any_died(audience))


KEEPERS_HEALTH: Final = topics.health("keeper")


def degraded(health: str) -> bool:
    return str(json.loads(health)["state"]) == "degraded"


def any_died(audience: Audience) -> bool:
    """Whether somebody was restarted or offline, of what was seen since `seen` was cleared."""
    healths = [json.loads(each.payload) for each in audience.seen if each.topic.endswith("/status/health")]
    words = [each.payload for each in audience.seen if each.topic.endswith("/status/availability")]
    return "offline" in words or any(health["restarts"] for health in healths)


async def put(audience: Audience, letter: str, letters: int = 10) -> str:
    """Have the keeper store so much of a letter, a tenth of `BIG` for each of `letters`; what it is then."""
    await audience.client.publish(topics.command("keeper"), f"put {letter * letters}", qos=1)
    return letter * letters * (BIG // 10)


async def full(scene: Scene) -> list[Finding]:
    """File systems in memory of 256 KiB to 16 MiB, filled to the last byte while the host runs, again and again."""
    told = Told()
    with running(Mosquitto(folder=scene.folder())) as broker:
        async with audience_of(broker) as audience:
            for kib in DISKS_KIB:
                with small_disk(scene.folder(), kib) as disk:
                    await fill_and_empty(scene, broker, audience, disk, told)
    return told.findings(lines=1)


async def fill_and_empty(scene: Scene, broker: Mosquitto, audience: Audience, disk: Disk, told: Told) -> None:
    """This disk's share of the times, under a host of its own."""
    haunt = new_haunt(scene.folder(), {"keeper": KEEPER, "lamp": LAMP})
    async with haunt.host(broker, LOG_FORMAT="json", STATE_DIR=str(disk.folder)) as host:
        for prop_id in ("keeper", "lamp"):
            await until_answered(audience, prop_id)
        for number in range(scene.times // len(DISKS_KIB)):
            audience.seen.clear()
            after = len(host.lines)
            disk.fill()
            began = time.monotonic()
            # more each time: what was in the -wal goes into the database at last, and its room would do for as much again
            value = await put(audience, "ab"[number % 2], 4 + 2 * number)
            await told.see_trouble(audience, began, "the disk is full")
            disk.empty()
            await told.see_end(audience, host, disk.folder / DATABASE, value, after)
            scene.progress(len(told.back_s), scene.times)
        await host.stop()


async def read_only(scene: Scene) -> list[Finding]:
    """STATE_DIR and the props are read-only when the host starts; STATE_DIR is written again while it runs."""
    told = Told()
    with running(Mosquitto(folder=scene.folder())) as broker:
        async with audience_of(broker) as audience:
            for _ in scene.counted():
                audience.seen.clear()
                haunt = new_haunt(scene.folder(), {"keeper": KEEPER, "lamp": LAMP})
                with small_disk(scene.folder()) as disk, read_only_props(haunt):
                    disk.allow("ro")
                    async with haunt.host(broker, LOG_FORMAT="json", STATE_DIR=str(disk.folder)) as host:
                        for prop_id in ("keeper", "lamp"):
                            await until_answered(audience, prop_id)
                        audience.seen.clear()
                        began = time.monotonic()
                        value = await put(audience, "a")
                        await told.see_trouble(audience, began, "read-only")
                        disk.allow("rw")
                        await told.see_end(audience, host, disk.folder / DATABASE, value, 0)
                        await host.stop()
    return told.findings(lines=2)  # the other one is about host.pid


@contextmanager
def read_only_props(haunt: Haunt) -> Iterator[None]:
    """As Docker mounts them."""
    props = str(haunt.props)
    subprocess.run(["mount", "--bind", props, props], check=True, capture_output=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", props], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", props], check=True, capture_output=True)


async def no_descriptors(scene: Scene) -> list[Finding]:
    """One worker opens all files that the host may have, and then the host's connections are cut: it needs new ones."""
    if sys.platform != "linux":
        raise FaultError("only Linux lowers another process's limits, prlimit(2)")
    said_s, lines, back_s, dead = list[float](), list[float](), list[float](), list[bool]()
    with running(Mosquitto(folder=scene.folder())) as broker:
        keys = (*WORDS, "telemetry/hoard", "telemetry/let_go")
        haunt = new_haunt(scene.folder(), {"hoarder": HOARDER, "lamp": LAMP})
        async with audience_of(broker, *keys) as audience, slow_way(broker) as way:
            for _ in scene.counted():
                async with haunt.host(broker, LOG_FORMAT="json", MQTT_PORT=str(way.port)) as host:
                    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
                    for prop_id in ("hoarder", "lamp"):
                        await until_answered(audience, prop_id)
                    audience.seen.clear()
                    after = len(host.lines)
                    await audience.client.publish(topics.command("hoarder"), f"hoard {HOARDS_S}", qos=1)
                    await heard_surely(audience, topics.telemetry("hoarder", "hoard"), lambda _: True, "no file left")
                    await way.cut(for_s=0.1)
                    cut = time.monotonic()
                    await host.expect_log("Too many open files", after=after)
                    said_s.append(time.monotonic() - cut)
                    await until_answered(audience, "lamp")
                    let_go = topics.telemetry("hoarder", "let_go")
                    await heard_surely(audience, let_go, lambda _: True, "the end of the hoard")
                    (ended,) = [float(each.payload) for each in audience.on(let_go)]
                    back_s.append(max(0.0, time.monotonic() - ended))
                    lines.append(len(troubles(host, after)))
                    dead.append(
                        any(json.loads(each.payload)["restarts"] for each in audience.on(topics.health("lamp")))
                    )
                    await host.stop()
    return [
        Finding("said in the log", said_s, unit="s", limits=(Limit("max", SAID_S),)),
        # one is of the cut, the other of what keeps the host from coming back
        Finding("lines of log about it", lines, unit="lines", limits=(Limit("max", 2),)),
        Finding("connected again, and a command answered", back_s, unit="s", limits=(Limit("max", BACK_S),)),
        kept("no worker was restarted", dead),
    ]


FAULTS = (
    Fault("disk-full", title="disk full", times=20, quick_times=4, measure=full),
    Fault("disk-read-only", title="read-only folders", times=10, quick_times=1, measure=read_only),
    Fault("no-descriptors", title="file descriptors exhausted", times=10, quick_times=1, measure=no_descriptors),
)
