"""A worker that keeps the event loop, or Python's lock, from all others: when it is named, how it ends, who comes back."""

from __future__ import annotations

import re
import time
from typing import Final

import attrs
import trio

from faults.harness._rows import Fault, FaultError, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._yard import (
    LAMP,
    ask,
    audience_of,
    heard_surely,
    kept,
    logged,
    new_haunt,
    running,
    until_answered,
)
from faults.rows.crashes import EACH_THE_FIRST
from halloween_host import topics
from tests.audience import Audience
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

__all__ = ["FAULTS"]

SLEEPS_S: Final = 5
#: Seconds after which a blocked host ends itself here; then systemd, Docker or `run --restart` starts it again.
EXIT_S: Final = 2
#: Seconds within which the worker that blocks is named.
NAMED_S: Final = 0.5
#: Seconds after which C ends a host whose Python stands still, WATCHDOG_EXIT, a fifth of it and 1 s more; and until that was noticed.
GIL_EXIT_S: Final = EXIT_S * 1.2 + 1 + 0.5
#: Seconds from the end to the answer of a host started again: the back-off of `run --restart`, and a start.
BACK_S: Final = 10.0
#: Seconds that a duration which is told may be off.
OFF_S: Final = 0.5

#: Notes when it begins to block in a file beside it: nothing that it says would get out.
BLOCKER: Final = f"""\
import ctypes
import time
from pathlib import Path

from halloween_host import BaseWorker

BEGAN = Path(__file__).with_name("began")


class Worker(BaseWorker):
    async def do_ping(self, arg):
        self.telemetry("pong", arg)

    async def do_sleep(self, arg):
        BEGAN.write_text(str(time.monotonic()))
        time.sleep({SLEEPS_S})

    async def do_spin(self, arg):
        BEGAN.write_text(str(time.monotonic()))
        while True:
            pass

    async def do_seize(self, arg):
        BEGAN.write_text(str(time.monotonic()))
        ctypes.PyDLL(None).sleep(600)

    async def do_segfault(self, arg):
        ctypes.string_at(0)
"""
PROPS: Final = {"blocker": BLOCKER, "lamp": LAMP, "quiet": LAMP}
ISOLATED: Final = PROPS | {
    "blocker": BLOCKER.replace("class Worker(BaseWorker):", "class Worker(BaseWorker):\n    isolate = True\n")
}
#: What the isolated one does, in turn.
MISDEEDS: Final = ("sleep", "spin", "seize", "segfault")
#: Seconds that its siblings are asked meanwhile, and within which they answer.
ASKED_S: Final = 3.0
UNNOTICED_S: Final = 0.25
#: Seconds until it answers again: it blocks for five, or until its own watchdog or C ends it, and its back-off.
AGAIN_S: Final = 10.0
WHERE: Final = "props/blocker/backend/worker.py"


@attrs.define
class Named:
    """Seconds from the beginning of each block until it was named."""

    said_s: list[float] = attrs.Factory(list)
    logged_s: list[float] = attrs.Factory(list)

    def findings(self, limit_s: float) -> list[Finding]:
        limits = (Limit("max", limit_s),)
        return [
            Finding("named on its status/error, with file and line", self.said_s, unit="s", limits=limits),
            Finding("named in the log", self.logged_s, unit="s", limits=limits),
        ]

    async def see(self, haunt: Haunt, audience: Audience, host: HostProcess, after: int) -> float:
        """Note when; return when the block began."""
        names = "blocks the host"
        said = await heard_surely(
            audience, topics.error("blocker"), lambda text: names in text and WHERE in text, "the name of who blocks"
        )
        await host.expect_log(names, WHERE, after=after)
        began = began_at(haunt)
        line = next(each for each in logged(host, after) if names in each.event and each.worker == "blocker")
        self.said_s.append(said - began)
        self.logged_s.append(line.at - began)
        return began


def began_at(haunt: Haunt) -> float:
    return float((haunt.props / "blocker" / "backend" / "began").read_text())


async def order(audience: Audience, action: str) -> None:
    await audience.client.publish(topics.command("blocker"), action, qos=1)


async def sleeping(scene: Scene) -> list[Finding]:
    """5 s of `time.sleep` in an async handler: the host lives on."""
    named, off_s, back_s = Named(), list[float](), list[float]()
    haunt = new_haunt(scene.folder(), PROPS)
    with running(Mosquitto(folder=scene.folder())) as broker:
        async with audience_of(broker) as audience, haunt.host(broker, LOG_FORMAT="json") as host:
            await until_answered(audience, "lamp")
            for _ in scene.counted():
                audience.seen.clear()
                after = len(host.lines)
                await order(audience, "sleep")
                began = await named.see(haunt, audience, host, after)
                await trio.sleep(began + SLEEPS_S - time.monotonic())
                back_s.append(await ask(audience, "lamp"))
                off_s.append(abs(await told_s(audience) - SLEEPS_S))
            await host.stop()
    return [
        *named.findings(NAMED_S),
        Finding("for how long, told at its end, is off by", off_s, unit="s", limits=(Limit("max", OFF_S),)),
        Finding("a sibling answers at its end", back_s, unit="s", limits=(Limit("max", NAMED_S),)),
    ]


async def told_s(audience: Audience) -> float:
    """The seconds that its `status/warn` gives."""
    texts: list[str] = []

    def fits(text: str) -> bool:
        texts.append(text)
        return "blocked the host" in text

    await heard_surely(audience, topics.status("blocker", "warn"), fits, "for how long it blocked")
    found = re.search(r"for ([\d.,]+) s", texts[-1])
    if found is None:
        raise FaultError(f"it tells no duration: {texts[-1]}")
    return float(found[1].replace(",", ""))


async def spinning(scene: Scene) -> list[Finding]:
    """`while True: pass` in an async handler: the host ends itself, and is started again."""
    named = Named()
    ends = await endings(scene, "spin", 70, named)
    return [
        *named.findings(NAMED_S),
        Finding("the host ended itself", ends.ended_s, unit="s", limits=(Limit("max", EXIT_S + 1),)),
        *ends.findings(70),
    ]


async def seizing(scene: Scene) -> list[Finding]:
    """A C function that sleeps with Python's lock held: no thread of Python's runs, faulthandler's C code ends the host."""
    ends = await endings(scene, "seize", 1, None)
    return [
        Finding("named with its stack, and ended", ends.ended_s, unit="s", limits=(Limit("max", GIL_EXIT_S),)),
        kept("stacks name its file", ends.unnamed),
        *ends.findings(1),
    ]


@attrs.define
class Endings:
    """What was seen of hosts that ended themselves, under `run --restart`."""

    ended_s: list[float] = attrs.Factory(list)
    back_s: list[float] = attrs.Factory(list)
    #: Whether the status was another one, and whether the stacks did not name the worker's file.
    otherwise: list[bool] = attrs.Factory(list)
    unnamed: list[bool] = attrs.Factory(list)

    def findings(self, status: int) -> list[Finding]:
        return [
            kept(f"exit status {status}", self.otherwise),
            Finding("started again, all answer", self.back_s, unit="s", limits=(Limit("max", BACK_S),)),
        ]


async def endings(scene: Scene, action: str, status: int, named: Named | None) -> Endings:
    ends = Endings()
    for _ in scene.counted():
        haunt = new_haunt(scene.folder(), PROPS)
        with running(Mosquitto(folder=scene.folder())) as broker:
            start = haunt.host(broker, "--restart", LOG_FORMAT="json", WATCHDOG_EXIT=str(EXIT_S))
            async with audience_of(broker) as audience, start as keeper:
                await until_answered(audience, "lamp")
                await until_answered(audience, "quiet")
                after = len(keeper.lines)
                await order(audience, action)
                if named is not None:
                    await named.see(haunt, audience, keeper, after)
                await keeper.expect_log("the host ended with status", after=after)
                ended = next(each for each in logged(keeper, after) if "the host ended with status" in each.event)
                ends.ended_s.append(ended.at - began_at(haunt))
                ends.otherwise.append(f"the host ended with status {status}:" not in ended.event)
                ends.unnamed.append(not any(WHERE in line for line in keeper.lines[after:]))
                await until_answered(audience, "lamp")
                await until_answered(audience, "quiet")
                ends.back_s.append(time.monotonic() - ended.at)
                await keeper.stop()
    return ends


async def isolated(scene: Scene) -> list[Finding]:
    """The same, and a segmentation fault, in a worker of a process of its own."""
    answers_s, back_s, named, unsaid = list[float](), list[float](), list[bool](), list[bool]()
    haunt = new_haunt(scene.folder(), ISOLATED)
    with running(Mosquitto(folder=scene.folder())) as broker:
        start = haunt.host(broker, LOG_FORMAT="json", WATCHDOG_EXIT=str(EXIT_S), **EACH_THE_FIRST)
        async with audience_of(broker) as audience, start as host:
            for prop_id in ISOLATED:
                await until_answered(audience, prop_id)
            for number in scene.counted():
                audience.seen.clear()
                after = len(host.lines)
                await order(audience, MISDEEDS[number % len(MISDEEDS)])
                began = time.monotonic()
                while time.monotonic() - began < ASKED_S:
                    answers_s += [await ask(audience, prop_id) for prop_id in ("lamp", "quiet")]
                await until_answered(audience, "blocker")
                back_s.append(time.monotonic() - began)
                lines = logged(host, after)
                named.append(any("block" in each.event for each in lines if each.worker != "blocker"))
                unsaid.append(not any(each.worker == "blocker" and each.level == "error" for each in lines))
            await host.stop()
    return [
        Finding("siblings answer meanwhile", answers_s, unit="s", limits=(Limit("max", UNNOTICED_S),)),
        kept("nobody else is named", named),
        kept("its end is said in the log", unsaid),
        Finding("it answers again", back_s, unit="s", limits=(Limit("max", AGAIN_S),)),
    ]


FAULTS = (
    Fault("blocked-sleep", title="time.sleep(5) in a handler", times=10, quick_times=1, measure=sleeping),
    Fault("blocked-loop", title="while True: pass in a handler", times=10, quick_times=1, measure=spinning),
    Fault("blocked-gil", title="GIL held in C", times=10, quick_times=1, measure=seizing),
    Fault("blocked-isolated", title="the same in an isolated worker", times=12, quick_times=2, measure=isolated),
)
