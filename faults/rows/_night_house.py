"""Fifty props, a phone in every guest's hand, and an audience that knows more of a night than of a short story."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trio

from halloween_host.testing import BrokerEvent, StageBroker, _show
from halloween_host.testing._hooks import replaced
from tests.stories.audience import Audience
from tests.stories.calls import ANSWER_S
from tests.stories.crew import Entry
from tests.stories.theatre import House, Theatre

__all__ = ["CREW", "FLOOD", "HOUSE", "clock_that_jumps"]

CREW: Final = tuple(f"prop{number:02d}" for number in range(50))
#: A command more than waits and runs for one worker.
CAPACITY: Final = 100
FLOOD: Final = CAPACITY + 1
#: From a crash to the next start: the longest back-off, or once a minute past the limit, with `safe()` and `stop()` before it.
BACK_S: Final = 60.0 + 1.0 + 5.0 + 1.0
#: Starts of one prop by back-off within a minute: five, and one that the window has just let go of.
STARTS_A_MINUTE: Final = 6
#: Seconds between two looks for commands that nobody answered.
SILENCE_S: Final = 60.0

#: Seconds between two beats of each prop, and between two looks of the audience at all that stands.
BEAT_S: Final = 120.0
LOOK_S: Final = 5.0

#: Seconds that the host's wall clock is ahead; all of one process.
_ahead: Final = [0.0]


@attrs.frozen
class _Flood:
    """`acked` and `counted`: what the prop had refused before, by its acks and by its health."""

    prop_id: str
    at: float
    acked: int
    counted: int


@contextmanager
def clock_that_jumps() -> Iterator[None]:
    """While open, shows have a wall clock that `NightTheatre.clock` sets."""
    _ahead[0] = 0.0
    with replaced((_show, "stage_wall"), lambda original: lambda: _jumping(original())):
        yield


def _jumping(wall: Callable[[], float]) -> Callable[[], float]:
    return lambda: wall() + _ahead[0]


class NightAudience(Audience):
    """Holds back-offs, counts and answers against the whole night too."""

    def __init__(self, broker: StageBroker, folder: Path, crew: Sequence[str], beat_s: float) -> None:
        super().__init__(broker, folder, crew, beat_s)
        #: What `status/health` of a prop says of its refused commands; set by the theatre.
        self.refused_of: Callable[[str], int] = lambda prop_id: 0
        self._starts: dict[str, list[float]] = {}
        self._orders: dict[str, list[float]] = {}
        self._down_since: dict[str, float] = {}
        self._stopped: set[str] = set()
        self._refused: dict[str, set[object]] = {}
        self._floods: list[_Flood] = []
        self._silence_at = SILENCE_S

    def host_starts(self) -> None:
        super().host_starts()
        for kept in (self._starts, self._orders, self._down_since, self._stopped, self._floods):
            kept.clear()

    def host_ended(self) -> None:
        self.look_for_silence()
        super().host_ended()

    def look_for_silence(self) -> None:
        """While a link is away answers wait for it."""
        if self.reachable and trio.current_time() - self._subscribed_at > ANSWER_S:
            super().look_for_silence()

    def ordered(self, verb: str, *prop_ids: str) -> None:
        """An operator says so; whether the host hears it or not."""
        now = trio.current_time()
        for prop_id in prop_ids:
            self._orders.setdefault(prop_id, []).append(now)
            self._down_since.pop(prop_id, None)
        if verb == "stop":
            self._stopped.update(prop_ids)
        elif verb in ("start", "restart") and self.reachable and not self.latched():
            self._stopped.difference_update(prop_ids)

    def flooded(self, prop_id: str) -> None:
        """It gets more commands than it may have."""
        if self.reachable:
            refused = len(self._refused.get(prop_id, ()))
            self._floods.append(_Flood(prop_id, trio.current_time(), refused, self.refused_of(prop_id)))

    def told(self, entry: Entry) -> None:
        super().told(entry)
        if entry.what == "started":
            self._down_since.pop(entry.me.prop_id, None)  # it may be down again by the next look
        if entry.what == "starting":
            self._check_rate(entry.me.prop_id, entry.at)

    def _check_rate(self, prop_id: str, now: float) -> None:
        starts = self._starts.setdefault(prop_id, [])
        starts.append(now)
        lately = sum(now - each < 60 for each in starts[-STARTS_A_MINUTE - 20 :])
        orders = sum(now - each < 70 for each in self._orders.get(prop_id, ()))
        if lately > STARTS_A_MINUTE + 1 + orders:  # the first one is no restart
            self.lie(f"{prop_id} started {lately} times in a minute, {orders} of them by order")

    def hear(self, event: BrokerEvent) -> None:
        super().hear(event)
        if event.kind == "publish" and event.topic.endswith("/ack"):
            ack = json.loads(event.payload)
            if ack["outcome"] == "refused":
                self._refused.setdefault(event.topic.split("/")[1], set()).add(ack["id"])

    def look(self) -> None:
        super().look()
        now = trio.current_time()
        if now > self._silence_at:
            self._silence_at = now + SILENCE_S
            self.look_for_silence()
            self._look_for_counts(now)
        latched = self.latched()
        for prop_id in self.crew:
            if prop_id in self.diary.hearts or latched or not self.alive or prop_id in self._stopped:
                self._down_since.pop(prop_id, None)
            elif now - self._down_since.setdefault(prop_id, now) > BACK_S:
                self.lie(f"{prop_id} is not back {BACK_S:g} s after it went down")

    def _look_for_counts(self, now: float) -> None:
        for flood in [each for each in self._floods if now - each.at > ANSWER_S]:
            self._floods.remove(flood)
            if self._subscribed_at > flood.at or self.calm_s < now - flood.at:
                continue  # an ack may have been lost
            acked = len(self._refused.get(flood.prop_id, ())) - flood.acked
            counted = self.refused_of(flood.prop_id) - flood.counted
            if acked != counted or (not acked and flood.prop_id in self.diary.hearts):
                self.lie(f"{flood.prop_id} refused {acked} commands of a flood, and counted {counted}")


class NightTheatre(Theatre):
    """What happens only in a long night."""

    async def clock(self, ahead_s: float) -> None:
        """The host's wall clock jumps, and no other does: what is on its way may seem younger than it is."""
        self.audience.calls.seem_younger(trio.current_time(), max(0.0, self.ahead_s - ahead_s))
        self.ahead_s = _ahead[0] = ahead_s

    async def flood(self, prop_id: str) -> None:
        """More commands than a worker may have, at once: each is answered, the one too many refused."""
        assert isinstance(self.audience, NightAudience)
        self.audience.refused_of = lambda prop_id: self.show.health(prop_id).refused
        self.audience.flooded(prop_id)
        for _ in range(FLOOD):
            await self.send(prop_id, "scare", True, None, 0.0, False)

    async def order(self, verb: str, prop_id: str) -> None:
        assert isinstance(self.audience, NightAudience)
        self.audience.ordered(verb, prop_id)
        await super().order(verb, prop_id)

    async def rearm(self) -> None:
        assert isinstance(self.audience, NightAudience)
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
