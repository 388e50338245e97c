"""The wall clock jumps under a real host, the summer ends, the machine sleeps, or its clock starts in 1970."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final

import attrs
import structlog
import trio

from faults.harness._rows import Fault, FaultError, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._clock_props import COOLDOWN_S, LATER_S, PROPS, SOURCES, TICK_S, Watch, blames, names
from faults.rows._faked_clock import FakedClock
from faults.rows._yard import new_haunt, running
from halloween_host import topics
from tests.audience import attending
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto

__all__ = ["FAULTS"]

ZONE: Final = "Europe/Berlin"
HOUR_S: Final = 3_600.0
#: The clocks there go back from 3:00 to 2:00.
SUMMER_ENDS: Final = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()
#: When the host is started, on a machine that does other things too, and when its timers are: they run over that moment.
BEFORE_SUMMER_ENDS_S: Final = 12.0
SPANNED_S: Final = 0.6
#: A Pi without a battery, half a minute after it was switched on.
AT_BOOT_IN_1970: Final = 30.0
#: Longer than a command with a time to live of 5 s, or one of a worker's, is worth something.
SUSPENDED_S: Final = 6.5
#: A timer that is so late is lost, on a machine that does other things too.
LOST_S: Final = 1.0
#: Seconds within which a refusal is out, a suspend included.
REFUSED_S: Final = SUSPENDED_S + 5.0

_log: Final = structlog.stdlib.get_logger()
_NOTHING: Final = (Limit("sum", 0),)


@attrs.define
class Seen:
    """What became of the promises, one value for each time that one could have been broken."""

    fired: list[float] = attrs.field(factory=list)
    lost: list[float] = attrs.field(factory=list)
    unnamed: list[float] = attrs.field(factory=list)
    gaps_s: list[float] = attrs.field(factory=list)
    blamed: list[float] = attrs.field(factory=list)

    def note(self, promise: list[float], *, kept: bool, what: str) -> None:
        """Count it; what was not kept is logged."""
        promise.append(float(not kept))
        if not kept:
            _log.error(what)

    def findings(self) -> list[Finding]:
        return [
            Finding("fired though stale, retained or never sent", self.fired, "commands", _NOTHING),
            Finding("timers and cool-downs lost", self.lost, "timers", _NOTHING),
            Finding(
                "longest time between two ticks, the suspends taken off",
                self.gaps_s,
                "s",
                (Limit("max", TICK_S + LOST_S),),
            ),
            Finding("skew not named", self.unnamed, "times", _NOTHING),
            Finding("prop offline, link lost or worker blamed for it", self.blamed, "times", _NOTHING),
        ]


@attrs.define
class Stand:
    """A host with a clock of its own on a broker, both props online, and who watches them."""

    haunt: Haunt
    broker: Mosquitto
    host: HostProcess
    clock: FakedClock
    watch: Watch
    seen: Seen

    async def again(self, prop_id: str, action: str, *, accepted: bool) -> None:
        """A command with a cool-down is accepted, or refused, as it must be."""
        number = await self.watch.send(prop_id, action, age_s=0, allowed=accepted)
        outcome = await self.watch.outcome(prop_id, number)
        well = outcome.startswith("done") if accepted else "accepted again in" in outcome
        self.seen.note(
            self.seen.lost, kept=well, what=f"{action} of {prop_id}: {outcome}, accepted should be {accepted}"
        )

    async def refused(self, prop_id: str, age_s: float, words: str, later_s: float = 0.0) -> None:
        """A command that says so is refused, `later_s` after it was sent, and the line names the difference."""
        after = len(self.watch.audience.seen)
        number = await self.watch.send(prop_id, "fire", age_s=age_s, allowed=False)
        line = await self.watch.said(
            topics.status(prop_id, "error"), "fire: refused", words, after=after, within_s=REFUSED_S
        )
        outcome = await self.watch.outcome(prop_id, number, REFUSED_S)
        named = line is not None and outcome.startswith("refused") and names(line.payload, age_s + later_s)
        self.seen.note(self.seen.unnamed, kept=named, what=f"{prop_id}: {words!r} by {age_s:g} s: {line}; {outcome}")

    async def obeys(self, prop_id: str) -> None:
        """What is sent now, with and without a time, is done; so is what workers send each other, and ask."""
        for age_s in (None, 0.0):
            number = await self.watch.send(prop_id, "fire", age_s=age_s)
            if await self.watch.heard(prop_id, "fired", number) is None:
                raise FaultError(f"{prop_id} did not do what it was told: {self.host.log}")
        number = await self.watch.send(prop_id, "relay")
        asked = await self.watch.heard(prop_id, "asked", f"{number}a")
        relayed = await self.watch.heard(next(each for each in PROPS if each != prop_id), "fired", number)
        well = asked is not None and relayed is not None
        self.seen.note(self.seen.lost, kept=well, what=f"{prop_id} relays: {relayed}, asks: {asked}")

    def set_clock(self, ahead_s: float) -> None:
        self.clock.set(ahead_s)
        self.watch.ahead_s = ahead_s

    async def preflight_names(self) -> None:
        """An operator whose clock is right is told by how much the host's is not."""
        told = await self.haunt.order(self.broker, "preflight", status=1)
        words = "ahead of this one" if self.watch.ahead_s > 0 else "behind this one"
        lines = [each for each in told.splitlines() if each.startswith("clock") and words in each]
        well = bool(lines) and names(lines[0], self.watch.ahead_s)
        self.seen.note(self.seen.unnamed, kept=well, what=told)


Disturbance = Callable[[Stand], Awaitable[float]]


@asynccontextmanager
async def standing(scene: Scene, seen: Seen, ahead_s: float = 0.0, **environ: str) -> AsyncIterator[Stand]:
    haunt = new_haunt(scene.folder(), SOURCES)
    clock = FakedClock(haunt.folder / "clock")
    clock.set(ahead_s)
    with running(Mosquitto(folder=scene.folder())) as broker:
        async with (
            attending(broker, "halloween/#") as audience,
            haunt.host(broker, **clock.environ(ZONE), **environ) as host,
        ):
            for prop_id in PROPS:
                await host.expect_log("online", prop_id)
            yield Stand(haunt, broker, host, clock, Watch(audience, ahead_s), seen)
            await host.stop()


async def disturbed(stand: Stand, disturb: Disturbance) -> None:
    """Timers and cool-downs run on while `disturb` happens, which returns for how long nothing could happen."""
    watch, seen, host = stand.watch, stand.seen, stand.host
    lines, after, began = len(host.lines), len(watch.audience.seen), time.monotonic()
    await stand.broker.publish(topics.command(PROPS[0]), "fire retained", retain=True)
    later = {prop_id: await watch.send(prop_id, "later") for prop_id in PROPS}
    for prop_id in PROPS:
        await stand.again(prop_id, "burst", accepted=True)
    burst_at = time.monotonic()
    suspended_s = await disturb(stand)
    if time.monotonic() - burst_at < COOLDOWN_S - 1:
        for prop_id in PROPS:
            await stand.again(prop_id, "burst", accepted=False)
    for prop_id, number in later.items():
        told = await watch.heard(prop_id, "later", number, LATER_S + LOST_S)
        late_s = math.inf if told is None else told.at - began - LATER_S
        seen.note(seen.lost, kept=-0.01 <= late_s <= suspended_s + LOST_S, what=f"{prop_id}: a timer {late_s:g} s late")
    for prop_id in PROPS:
        await stand.obeys(prop_id)
    await trio.sleep(max(0.0, burst_at + COOLDOWN_S - time.monotonic()))
    for prop_id in PROPS:
        await stand.again(prop_id, "burst", accepted=True)
        gap_s = watch.longest_gap_s(prop_id, began, time.monotonic())
        seen.gaps_s.append(max(0.0, gap_s - suspended_s))
    await stand.broker.publish(topics.command(PROPS[0]), b"", retain=True)
    for number in watch.stale():
        seen.note(seen.fired, kept=False, what=f"command {number} was done")
    seen.note(seen.fired, kept=True, what="")
    words = [each for each in watch.audience.seen[after:] if each.topic.endswith("/availability")]
    last = {each.topic: each for each in words}  # a host that stands still is rightly called offline meanwhile
    down = [each.topic for each in (last.values() if suspended_s else words) if each.payload == "offline"]
    blamed = [each for each in host.lines[lines:] if blames(each)]
    seen.note(seen.blamed, kept=not down and not blamed, what=f"offline: {down}; {blamed}")
    await trio.sleep(COOLDOWN_S)  # the next one finds none running


# -- what is done to it; each returns the seconds in which nothing could happen


async def jump(to_s: float, stand: Stand) -> float:
    """The host's clock jumps, to so many seconds ahead of all other clocks; 0: it is set right."""
    stand.set_clock(to_s)
    for prop_id in PROPS if to_s else ():
        # sent now, by a phone whose clock is right
        await stand.refused(prop_id, to_s, "s old and was worth 5 s" if to_s > 0 else "clock skew")
    return 0.0


async def summer_ends(stand: Stand) -> float:
    """It is 3:00 and then 2:00; what was sent at 2:00 the first time is an hour old."""
    for prop_id in PROPS:
        if await stand.watch.said(topics.telemetry(prop_id, "tick"), "CET", within_s=BEFORE_SUMMER_ENDS_S) is None:
            raise FaultError("the summer did not end for the host")
        await stand.refused(prop_id, HOUR_S, "s old and was worth 5 s")
    return 0.0


async def suspend(broker_too: bool, stand: Stand) -> float:
    """The host stands still, or the whole machine; what was sent to it meanwhile is too old when it goes on."""
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        stand.host.pause()
        if broker_too:
            stand.broker.freeze()
        for prop_id in PROPS:
            nursery.start_soon(stand.refused, prop_id, 0.0, "s old and was worth 5 s", SUSPENDED_S)
        await trio.sleep(SUSPENDED_S)
        if broker_too:
            stand.broker.thaw()
        stand.host.resume()
        return time.monotonic() - began


# -- the kinds, each with hosts of its own, all at the same time


async def jumps(scene: Scene, seen: Seen, done: Callable[[], None]) -> None:
    async with standing(scene, seen) as stand:
        for _ in range(scene.times):
            for to_s in (HOUR_S, -HOUR_S):
                await disturbed(stand, partial(jump, to_s))
                await stand.preflight_names()
                await disturbed(stand, partial(jump, 0.0))
            done()


async def summers(scene: Scene, seen: Seen, done: Callable[[], None]) -> None:
    for _ in range(scene.times):
        ahead_s = SUMMER_ENDS - BEFORE_SUMMER_ENDS_S - time.time()
        async with standing(scene, seen, ahead_s) as stand:
            await trio.sleep(SUMMER_ENDS - SPANNED_S - (time.time() + ahead_s))
            await disturbed(stand, summer_ends)
        done()


async def suspends(scene: Scene, seen: Seen, done: Callable[[], None]) -> None:
    async with standing(scene, seen) as stand:
        for _ in range(scene.times):
            for broker_too in (False, True):
                await disturbed(stand, partial(suspend, broker_too))
            done()


async def starts_in_1970(scene: Scene, seen: Seen, done: Callable[[], None]) -> None:
    """Its clock is set while it runs; a cool-down that began before that holds over its next start too."""
    for _ in range(scene.times):
        state = str(scene.folder())
        async with standing(scene, seen, AT_BOOT_IN_1970 - time.time(), STATE_DIR=state) as stand:
            for prop_id in PROPS:
                await stand.obeys(prop_id)
                await stand.refused(prop_id, stand.watch.ahead_s, "clock skew")
                await stand.again(prop_id, "long", accepted=True)
            await stand.preflight_names()
            await disturbed(stand, partial(jump, 0.0))
        async with standing(scene, seen, STATE_DIR=state) as stand:
            for prop_id in PROPS:
                await stand.again(prop_id, "long", accepted=False)
        done()


async def measure(scene: Scene) -> list[Finding]:
    """All kinds beside each other: they wait more than they work."""
    seen, finished = Seen(), 0
    kinds = (jumps, summers, suspends, starts_in_1970)

    def done() -> None:
        nonlocal finished
        finished += 1
        scene.progress(finished, len(kinds) * scene.times)

    async with trio.open_nursery() as nursery:
        for kind in kinds:
            nursery.start_soon(kind, scene, seen, done)
    return seen.findings()


FAULTS: Final = (
    Fault(
        "clock",
        title="clock ± 1 h, the night summer time ends, suspend and resume, a Pi whose clock starts at 1970",
        times=5,
        quick_times=1,
        measure=measure,
    ),
)
