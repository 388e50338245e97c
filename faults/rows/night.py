"""A night of six virtual hours: fifty props, guests and faults by chance; a seed is a night, the same each time."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Final

import attrs
import structlog
import trio

from faults.harness._rows import Fault, Finding, Limit
from faults.harness._scene import Scene
from faults.rows._night_house import CREW, HOUSE, open_house
from tests.stories.playing import play
from tests.stories.theatre import Act

__all__ = ["FAULTS", "Night", "play_night", "story_of"]

NIGHT_S: Final = 6 * 3_600.0
#: Seconds between two guests' commands, and between two faults, at the mean.
GUEST_S: Final = 24.0
FAULT_S: Final = 250.0

_log: Final = structlog.stdlib.get_logger()

Story = list[tuple[float, Act]]


def story_of(seed: int) -> list[Act]:
    """All that happens in that night, with the waits between."""
    chance = random.Random(f"night {seed}")
    told: Story = []
    at = 0.0
    while (at := at + chance.expovariate(1 / GUEST_S)) < NIGHT_S:
        told.append((at, _guest(chance)))
    at = 60.0
    while (at := at + chance.expovariate(1 / FAULT_S)) < NIGHT_S - 300:
        told += [(at + later, act) for later, act in _fault(chance)]
    told.sort(key=lambda each: each[0])
    acts: list[Act] = []
    now = 0.0
    for at, act in told:
        acts += [Act("wait", (round(at - now, 3),)), act]
        now = at
    return acts


def _guest(chance: random.Random) -> Act:
    action = chance.choices(("scare", "bang", "hold", "hang", "die"), (60, 10, 15, 5, 2))[0]
    ttl = chance.choice((None, 0.5, 5.0))
    age_s = chance.choice((0.0, 0.0, 1.0, 3_600.0))
    return Act("send", (chance.choice(CREW), action, True, ttl, age_s, chance.random() < 0.02))


def _fault(chance: random.Random) -> Story:
    """A fault, and what ends it, where somebody must."""
    prop_id = chance.choice(CREW)
    connection = chance.choice(("", *CREW))
    seconds = chance.choice((0.5, 3.0, 20.0, 60.0))
    rearm = (chance.uniform(0.01, 90), Act("rearm"))
    bang = Act("send", (prop_id, "bang", True, None, 0.0, False))
    kinds: tuple[tuple[int, Story], ...] = (
        (20, [(0, Act("crash", (prop_id,)))]),
        (6, [(chance.uniform(0, 40), Act("crash", (prop_id,))) for _ in range(9)]),
        (6, [(0, Act("crash", (each,))) for each in chance.sample(CREW, 10)]),
        (8, [(0, Act("drop", (connection, chance.random() < 0.5)))]),
        (8, [(0, Act("cut", (connection, chance.choice((None, 1.0, 8.0, 30.0)))))]),
        (6, [(0, Act("stall", (chance.choice((None, connection)), min(seconds, 20.0))))]),
        (8, [(0, Act("broker_down", (seconds, chance.random() < 0.5)))]),
        (4, [(0, Act("lock_out", (seconds,)))]),
        (4, [(0, Act("refuse", (prop_id,))), (chance.uniform(5, 120), Act("refuse", (prop_id,)))]),
        (4, [(0, Act("slander", (prop_id, chance.choice(("online", "offline")))))]),
        (5, [(0, Act("panic")), rearm]),
        (3, [(0, Act("send", (prop_id, "fall", True, None, 0.0, False))), rearm]),
        (6, [(0, Act("order", ("restart", prop_id)))]),
        (5, [(0, Act("order", ("stop", prop_id))), (chance.uniform(0, 120), Act("order", ("start", prop_id)))]),
        (4, [(0, Act("stop_host", (seconds,)))]),
        (4, [(0, Act("kill_host", (seconds,)))]),
        (2, [(0, Act("rival", (seconds,)))]),
        (6, [(0, Act("flood", (prop_id,)))]),
        (
            6,
            [
                (0, Act("clock", (chance.choice((-3_600.0, 3_600.0, -1.79e9)),))),
                (chance.uniform(1, 300), Act("clock", (0.0,))),
            ],
        ),
        (3, [(0, Act("slow_start", (prop_id, 3.0))), (chance.uniform(1, 100), Act("slow_start", (prop_id, 0.0)))]),
        (5, [(0, Act("again"))]),
        (8, [(0, _block(chance, prop_id, chance.choice((0.4, 2.0, 5.0))))]),
        (4, [(0, _block(chance, prop_id, chance.choice((8.0, 12.0, 20.0, 28.0))))]),
        (2, [(0, _block(chance, prop_id, 60.0))]),
        (
            4,
            [
                (0, bang),
                (chance.uniform(1, 100), Act(chance.choice(("stop_host", "kill_host")), (seconds,))),
                (chance.uniform(105, 360), bang),
            ],
        ),
        (
            6,
            [
                (0, Act("disk", (chance.choice(("full", "read-only")),))),
                (chance.uniform(1, 600), Act("disk", (None,))),
            ],
        ),
    )
    return chance.choices([story for _, story in kinds], [weight for weight, _ in kinds])[0]


def _block(chance: random.Random, prop_id: str, seconds: float) -> Act:
    """Somebody blocks, and some of the others are commanded in the same moment or meanwhile."""
    guests = tuple(
        (
            chance.choice((0.0, round(chance.uniform(0, seconds), 3), round(chance.uniform(0, seconds), 3))),
            chance.choice(CREW),
            chance.choice(("scare", "scare", "bang", "hold")),
            chance.choice((None, 0.5, 5.0, 60.0)),
        )
        for _ in range(chance.randrange(2, 7))
    )
    return Act("block", (prop_id, seconds, guests, chance.choice((0.5, 3.0, 20.0))))


@attrs.frozen
class Night:
    """What became of one: its lies, the end of its transcript, its events, and its real seconds."""

    seed: int
    lies: list[str]
    end: list[str]
    events: int
    took_s: float


def play_night(seed: int, shown: int = 1) -> Night:
    """Play it, in this process; so many lines of its transcript's end are kept."""
    began = time.monotonic()
    with open_house():
        played = play(story_of(seed), seed=seed, house=HOUSE)
    lines = played.transcript.splitlines()
    return Night(seed, played.lies, lines[-shown:], len(lines), time.monotonic() - began)


async def measure(scene: Scene) -> list[Finding]:
    """Seeds 1, 2, ... on all cores; what is not kept names the seed."""
    nights: list[Night] = []
    with _all_cores() as pool:
        waiting = [pool.submit(play_night, seed) for seed in range(1, scene.times + 1)]
        for number in scene.counted():
            night = await trio.to_thread.run_sync(waiting[number].result, abandon_on_cancel=True)
            nights.append(night)
            for lie in night.lies:
                _log.error(f"night {night.seed}: {lie} (again: python -m faults.one_night {night.seed})")
    return [
        Finding("promises broken in a night", [len(each.lies) for each in nights], "lies", (Limit("sum", 0),)),
        Finding("events of a night", [each.events for each in nights], "events", ()),
    ]


@contextmanager
def _all_cores() -> Iterator[ProcessPoolExecutor]:
    """A process for each core; who is cancelled waits for the nights under way and for no other."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


FAULTS: Final = (
    Fault(
        "night",
        title="a night: 6 hours of virtual time, random guests, random faults, 50 props",
        times=200,
        quick_times=2,
        measure=measure,
    ),
)
