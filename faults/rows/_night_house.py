"""Fifty props, a phone in every guest's hand, a disk that fills, workers that block, and what else happens in a long night."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import attrs
import trio

from faults.rows._night_audience import NAMED_S, SHORT_S, NightAudience
from faults.rows._night_disk import DISK, Trouble
from faults.rows._night_watchdog import NightWatchdog, as_author
from halloween_host.guard import BLOCKED
from halloween_host.settings import load_settings
from halloween_host.testing import Show, _show
from halloween_host.testing._hooks import replaced
from tests.stories.playing import House
from tests.stories.theatre import Theatre

__all__ = ["CREW", "FLOOD", "HOUSE", "Guest", "open_house"]

CREW: Final = tuple(f"prop{number:02d}" for number in range(50))
#: A command more than waits and runs for one worker.
CAPACITY: Final = 100
FLOOD: Final = CAPACITY + 1
#: Seconds between two beats of each prop, and between two looks of the audience at all that stands.
BEAT_S: Final = 120.0
LOOK_S: Final = 5.0

#: Seconds that the host's wall clock is ahead; all of one process.
_ahead: Final = [0.0]

#: Who commands while a worker blocks: after how many seconds of it, which prop, what, and the ttl.
Guest = tuple[float, str, str, float | None]


@attrs.frozen
class _Block:
    """One that was asked for; `away_s` is how long the host is away when it ends over it."""

    seconds: float
    guests: Sequence[Guest]
    away_s: float


@contextmanager
def open_house() -> Iterator[None]:
    """While open, shows have a wall clock that `NightTheatre.clock` sets, and the disk of `NightTheatre.disk`."""
    _ahead[0] = 0.0
    with replaced((_show, "stage_wall"), lambda original: lambda: _jumping(original())), DISK.open():
        yield


def _jumping(wall: Callable[[], float]) -> Callable[[], float]:
    return lambda: wall() + _ahead[0]


class NightTheatre(Theatre):
    """What happens only in a long night."""

    audience: NightAudience

    def enter(self, show: Show) -> None:
        super().enter(show)
        self._blocks: dict[str, _Block] = {}
        self._watchdog = NightWatchdog(show, load_settings(self.environ))
        self.audience.diary.stand_still = self._stand_still

    def process_ends(self, away_s: float) -> None:
        DISK.dead = True
        super().process_ends(away_s)

    async def disk(self, trouble: Trouble | None) -> None:
        """It is full or read-only from now on, or well again."""
        DISK.trouble = trouble
        self.audience.disk_is(trouble)

    async def block(self, prop_id: str, seconds: float, guests: Sequence[Guest], away_s: float) -> None:
        """A command whose handler blocks the event loop, while guests command others."""
        token = self.call(prop_id, "block", True, None)
        if token is not None:
            self._blocks[token] = _Block(seconds, guests, away_s)
        for after_s, whom, action, ttl in guests:
            if not after_s:
                self.call(whom, action, True, ttl)

    def _stand_still(self, prop_id: str, token: str) -> bool:
        """In the handler: block, as the phone asked; whether the host has ended over it."""
        block, audience = self._blocks.pop(token), self.audience
        if self.ending or prop_id not in audience.diary.hearts:
            return False
        exits = block.seconds >= self._watchdog.exit_s
        seconds = self._watchdog.exit_s if exits else block.seconds
        began, heard = trio.current_time(), audience.reachable and seconds <= SHORT_S
        available = audience.available(prop_id)
        audience.block_begins(seconds)
        for after_s, whom, action, ttl in block.guests:
            if 0 < after_s < seconds:
                call = partial(self.call, whom, action, True, ttl, delay_s=seconds - after_s, heard=heard)
                self.broker.later(after_s, call)
        if available and seconds > NAMED_S:
            self.broker.later(NAMED_S, partial(audience.check_named, prop_id, began))
        as_author(prop_id)(partial(self._watchdog.stand_still, prop_id, block.seconds))
        if exits:
            self.show.transcript.note(f"the watchdog ends the host: status {BLOCKED}")
            self.process_ends(block.away_s)
            audience.check_all_offline()
            self.life.cancel()
        elif available and seconds > NAMED_S:
            audience.block_ended(prop_id, self.show.health(prop_id).reason)
        return exits

    async def clock(self, ahead_s: float) -> None:
        """The host's wall clock jumps, and no other does: what is on its way may seem younger than it is."""
        self.audience.calls.seem_younger(trio.current_time(), max(0.0, self.ahead_s - ahead_s))
        self.ahead_s = _ahead[0] = ahead_s

    async def flood(self, prop_id: str) -> None:
        """More commands than a worker may have, at once: each is answered, the one too many refused."""
        self.audience.refused_of = lambda prop_id: self.show.health(prop_id).refused
        self.audience.flooded(prop_id)
        for _ in range(FLOOD):
            await self.send(prop_id, "scare", True, None, 0.0, False)

    async def order(self, verb: str, prop_id: str) -> None:
        self.audience.ordered(verb, prop_id)
        await super().order(verb, prop_id)

    async def rearm(self) -> None:
        self.audience.ordered("rearm", *CREW)
        await super().rearm()


HOUSE: Final = House(
    crew=CREW,
    beat_s=BEAT_S,
    look_s=LOOK_S,
    theatre=NightTheatre,
    audience=NightAudience,
    environ={"WORKER_MAILBOX_CAPACITY": str(CAPACITY)},
)
