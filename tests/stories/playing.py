"""A story is played act by act in virtual time, over the lives of its host, before an audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio
from trio.testing import MockClock

from halloween_host.testing import StageBroker, rehearse
from halloween_host.testing._time import virtual_time
from tests.stories.audience import CALM_S, Audience
from tests.stories.crew import BEAT_S, CREW, cast
from tests.stories.scratch import scratch
from tests.stories.theatre import Act, HostEnds, HostKilled, Theatre

__all__ = ["House", "Played", "play"]

#: Seconds between two looks of the audience.
LOOK_S: Final = 0.5


@attrs.frozen
class Played:
    """What became of a story."""

    lies: list[str]
    transcript: str


@attrs.frozen
class House:
    """Where a story is played: whom it is about, how often they beat, how often the audience looks, and what can happen."""

    crew: Sequence[str] = CREW
    beat_s: float = BEAT_S
    look_s: float = LOOK_S
    theatre: type[Theatre] = Theatre
    audience: type[Audience] = Audience
    environ: Mapping[str, str] = attrs.field(factory=dict)


def play(story: Sequence[Act], *, seed: int = 0, house: House | None = None) -> Played:
    """Play a story to its end, a calm minute after its last act included."""
    return trio.run(_play, story, seed, house or House(), clock=MockClock())


async def _play(story: Sequence[Act], seed: int, house: House) -> Played:
    transcripts: list[str] = []
    with scratch() as folder:
        async with StageBroker() as broker, trio.open_nursery() as nursery:
            audience = house.audience(broker, folder, house.crew, house.beat_s)
            theatre = house.theatre(broker, audience, nursery)
            theatre.environ = house.environ
            nursery.start_soon(_look_on, audience, house.look_s)
            acts = list(story)
            while await _live(theatre, acts, folder, seed, transcripts):
                async with virtual_time(say=lambda text: None):
                    await trio.sleep(theatre.away_s)
                    audience.look()
            nursery.cancel_scope.cancel()
    return Played(audience.lies, "\n".join(transcripts))


async def _live(theatre: Theatre, acts: list[Act], folder: Path, seed: int, transcripts: list[str]) -> bool:
    """One life of the host; whether the story goes on with another one."""
    audience = theatre.audience
    classes = cast(audience.diary, audience.crew)
    seed = seed * 1000 + audience.life
    goes_on = False
    show = None
    try:
        audience.host_starts()
        stage = rehearse(classes, state=folder, broker=theatre.broker, seed=seed, environ=theatre.environ)
        async with stage as show:
            theatre.enter(show)
            audience.available = lambda prop_id: theatre.show.health(prop_id).state.available
            try:
                with theatre.life:
                    await _perform(theatre, acts)
                if theatre.life.cancelled_caught:
                    raise HostKilled
            except HostEnds:
                goes_on = theatre.ending = True
                audience.memory.host_stopped()
                audience.disturbed(-CALM_S + 7)
    except* HostKilled:
        goes_on = True
    finally:
        audience.host_ended()
        if show is not None:
            transcripts.append(str(show.transcript))
    return goes_on


async def _perform(theatre: Theatre, acts: list[Act]) -> None:
    while acts:
        act = acts.pop(0)
        theatre.show.transcript.note(f"ACT {act}")
        await getattr(theatre, act.name)(*act.args)
        if theatre.audience.lies:  # enough to be shrunk
            acts.clear()
            return
    await _settle(theatre)


async def _settle(theatre: Theatre) -> None:
    audience = theatre.audience
    await trio.sleep(max(0.0, -audience.calm_s) + 30)
    audience.look()
    audience.look_for_silence()


async def _look_on(audience: Audience, look_s: float) -> None:
    while True:
        await trio.sleep(look_s)
        audience.look()
