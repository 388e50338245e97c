"""A cable is pulled: what goes by it stops, no FIN, no RST, both ends believe in their connection."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

import attrs
import trio

from faults.harness import Fault, Finding, Limit, Scene
from faults.rows._props import LAMP, both
from faults.rows._yard import running
from halloween_host import topics
from halloween_host.link import AWAY_CAP_S
from tests.audience import Audience, attending
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Mosquitto
from tests.testing.cable import Cable

PROPS: Final = ("coffin", "fogger", "organ", "raven")
TOLD: Final = (*PROPS, "worker_host")
#: Houses beside each other, each with a broker and a cable of its own.
HOUSES: Final = 10
KEEPALIVE_S: Final = 10
QUICK_KEEPALIVE_S: Final = 1
#: mosquitto 2.0 looks so often for who was silent too long, in seconds.
SWEEP_S: Final = 6.0
#: Seconds that it lies untouched before: a host whose connection is lost again sooner says so but once a minute.
STEADY_S: Final = 31.0
#: Seconds that a cable stays away at most once both ends know.
AWAY_S: Final = 10.0
#: Seconds from a connection to every birth at a subscriber, at most.
BIRTH_S: Final = 0.5
#: Seconds in which a prop that is back answers.
ANSWER_S: Final = 2.0


@attrs.define
class Seen:
    """Of every pull: seconds until the broker had said `offline` for all, until the host knew, and from the return to the last `online`."""

    by_broker: list[float] = attrs.Factory(list)
    by_host: list[float] = attrs.Factory(list)
    back: list[float] = attrs.Factory(list)
    mute: list[float] = attrs.Factory(list)


async def measure(scene: Scene) -> list[Finding]:
    """`times` pulls, shared out among the houses, each at a moment of its own."""
    keepalive_s = QUICK_KEEPALIVE_S if scene.quick else KEEPALIVE_S
    seen, pulls = Seen(), scene.counted()
    async with trio.open_nursery() as nursery:
        for _ in range(min(HOUSES, scene.times)):
            nursery.start_soon(_live, scene, pulls, keepalive_s, seen)
    noticed_s = 1.5 * keepalive_s
    return [
        Finding(
            f"`offline` of all seen through the broker (1.5 × {keepalive_s} s and a sweep)",
            seen.by_broker,
            "s",
            (Limit("max", noticed_s + SWEEP_S),),
        ),
        Finding(f"seen by the host (1.5 × {keepalive_s} s)", seen.by_host, "s", (Limit("max", noticed_s),)),
        Finding("all `online` once it returns", seen.back, "s", (Limit("max", AWAY_CAP_S + BIRTH_S),)),
        Finding("props that do not answer then", seen.mute, "props", (Limit("sum", 0),)),
    ]


async def _live(scene: Scene, pulls: Iterator[int], keepalive_s: int, seen: Seen) -> None:
    """One house, until all pulls are done."""
    folder = scene.folder()
    haunt = Haunt(folder)
    for number, prop in enumerate(PROPS):
        haunt.prop(prop, both(LAMP, number))
    with running(Mosquitto(folder=folder)) as broker:
        async with attending(broker) as audience, trio.open_nursery() as nursery:
            cable = await Cable.lay(nursery, broker.host, broker.port)
            told = {"MQTT_HOST": broker.host, "MQTT_PORT": str(cable.port), "MQTT_KEEPALIVE": str(keepalive_s)}
            async with haunt.host(None, **told) as host:
                await audience.each_says("online", TOLD)
                for _ in pulls:
                    await trio.sleep(random.uniform(0, keepalive_s) + (0 if scene.quick else STEADY_S))
                    await _pull(cable, audience, host, seen)
                    await trio.sleep(random.uniform(0, keepalive_s if scene.quick else AWAY_S))
                    await _return(cable, audience, seen)
            nursery.cancel_scope.cancel()


async def _pull(cable: Cable, audience: Audience, host: HostProcess, seen: Seen) -> None:
    lines, after, at = len(host.lines), len(audience.seen), time.monotonic()

    async def host_knows() -> None:
        await host.expect_log("lost the broker", after=lines)
        seen.by_host.append(time.monotonic() - at)

    cable.cut()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host_knows)
        seen.by_broker.append(max((await audience.each_says("offline", TOLD, after=after)).values()) - at)


async def _return(cable: Cable, audience: Audience, seen: Seen) -> None:
    after, at = len(audience.seen), time.monotonic()
    cable.mend()
    seen.back.append(max((await audience.each_says("online", TOLD, after=after)).values()) - at)
    after = len(audience.seen)
    for prop in PROPS:
        await audience.client.publish(topics.command(prop), "ping", qos=1)
    with trio.move_on_after(ANSWER_S):
        for prop in PROPS:
            pong = topics.telemetry(prop, "pong")
            await audience.first(lambda each, pong=pong: each.topic == pong, pong, after=after)  # type: ignore[misc]
    answered = {each.prop for each in audience.seen[after:] if each.topic.endswith("/telemetry/pong")}
    seen.mute.append(len(PROPS) - len(answered))


FAULTS = (Fault("cable", "cable pulled, no FIN", times=20, quick_times=2, measure=measure),)
