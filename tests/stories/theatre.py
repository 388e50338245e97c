"""A theatre is where a story happens: each act does something to a host, its broker, or a prop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from halloween_host import topics
from halloween_host.commands import encode_command
from halloween_host.testing import Show, StageBroker, StageClient
from halloween_host.testing._seed import EPOCH
from tests.stories.audience import CALM_S, CLIENT_ID, Audience
from tests.stories.calls import Call

__all__ = ["Act", "HostEnds", "HostKilled", "Theatre"]

#: A stranger's false words that the host corrects within a minute.
CORRECTED: Final = 3


@attrs.frozen
class Act:
    """One thing that happens: a method of `Theatre` and its arguments."""

    name: str
    args: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


class HostKilled(Exception):
    """The host's process is gone."""


class HostEnds(Exception):
    """The host is asked to end."""


class Theatre:
    """Each method is an act; what cannot happen now does not."""

    def __init__(self, broker: StageBroker, audience: Audience, later: trio.Nursery) -> None:
        self.broker = broker
        self._later = later
        self.audience = audience
        self.show: Show
        #: Cancelled by what ends the host's process in the middle of an act.
        self.life = trio.CancelScope()
        #: The host was asked to end.
        self.ending = False
        self.environ: Mapping[str, str] = {}
        #: Seconds that the host's wall clock is ahead of the phone's.
        self.ahead_s = 0.0
        self.away_s = 0.0
        self._number = 0
        self._last: tuple[str, bytes] | None = None
        self._slandered: dict[str, list[float]] = {}
        self._refused: set[str] = set()

    def enter(self, show: Show) -> None:
        """Another life of the host begins."""
        self.show, self.life, self.ending, self._last = show, trio.CancelScope(), False, None

    async def wait(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def send(
        self, prop_id: str, action: str, with_id: bool, ttl: float | None, age_s: float, retain: bool
    ) -> None:
        """A phone's command. `age_s` is how long ago it was sent, by its own word."""
        self.call(prop_id, action, with_id, ttl, age_s, retain)

    def call(
        self,
        prop_id: str,
        action: str,
        with_id: bool,
        ttl: float | None,
        age_s: float = 0.0,
        retain: bool = False,
        *,
        delay_s: float = 0.0,
        heard: bool = False,
    ) -> str | None:
        """As `send`, at once; its argument, None while no broker is there.

        It reaches the host `delay_s` later; `heard`: it surely does.
        """
        if not self.broker.is_up:
            return None
        self._number += 1
        now, token = trio.current_time(), f"c{self._number}"
        id_ = f"id-{token}" if with_id else None
        ts = None if ttl is None else round(EPOCH + self.show.now - age_s, 3)
        expires_at = math.inf if ttl is None else now - age_s - self.ahead_s + ttl + 0.001
        heard = heard or (self.audience.reachable and not retain)
        call = Call(prop_id, action, now + delay_s, self.audience.life, id_, expires_at, retain, heard)
        self.audience.calls.made(token, call)
        payload = encode_command(action, token, id=id_, ts=ts, ttl=ttl)
        topic = topics.command(prop_id)
        if with_id and not retain:
            self._last = (topic, payload)
        self.broker.publish(topic, payload, 1, retain)
        return token

    async def again(self) -> None:
        """The phone sends its last command with an id once more."""
        if self._last is not None and self.broker.is_up:
            self.broker.publish(*self._last)

    async def crash(self, prop_id: str) -> None:
        if self.show.health(prop_id).state.available:
            self.audience.crashed(prop_id)
        self.show.crash(prop_id)

    async def slow_start(self, prop_id: str, seconds: float) -> None:
        self.audience.diary.slow[prop_id] = seconds

    async def order(self, verb: str, prop_id: str) -> None:
        if self.broker.is_up:
            self.show.send(topics.HOST, verb, prop_id)

    async def panic(self) -> None:
        if self.broker.is_up:
            self.show.panic()

    async def rearm(self) -> None:
        if self.broker.is_up:
            self.show.rearm()

    async def stop_host(self, away_s: float) -> None:
        self.away_s = away_s
        raise HostEnds

    async def kill_host(self, away_s: float) -> None:
        """SIGKILL."""
        self.process_ends(away_s)
        raise HostKilled

    def process_ends(self, away_s: float) -> None:
        """The host is no more: the operating system closes its connections."""
        self.away_s = away_s
        self.audience.diary.killed()
        self.audience.memory.host_killed(trio.current_time())
        for identifier in [each for each in self.broker.connected if each.startswith(CLIENT_ID)]:
            self.broker.drop(identifier)

    async def rival(self, away_s: float) -> None:
        """Another host takes our client id over, and leaves after a moment."""
        if self.audience.reachable and self._client("") is not None:
            self.audience.taken_over()
            async with StageClient(self.broker, identifier=CLIENT_ID):
                await trio.sleep(0.5)
            self.away_s = away_s
            raise HostEnds

    async def drop(self, who: str, lose_acks: bool) -> None:
        if (name := self._client(who)) is not None:
            self.audience.disturbed(-CALM_S + 0.5)
            self.audience.link_lost()
            self.broker.drop(name, lose_acks=lose_acks)

    async def cut(self, who: str, for_s: float | None) -> None:
        if (name := self._client(who)) is not None:
            self.audience.disturbed(20.0 + (for_s or 0))
            self.audience.link_lost()
            self.broker.cut(name, for_s)

    async def stall(self, who: str | None, for_s: float) -> None:
        name = None if who is None else self._client(who)
        if self.broker.is_up and (who is None or name is not None):
            self.audience.disturbed(for_s)
            self.audience.link_lost()
            self.broker.stall(name, for_s=for_s)

    async def broker_down(self, for_s: float, forget: bool) -> None:
        if self.broker.is_up:
            self.audience.disturbed(for_s)
            self.audience.link_lost()
            self.broker.down(for_s, forget=forget)

    async def refuse(self, prop_id: str) -> None:
        """The broker lets no presence of this prop in, or does again."""
        name = f"{CLIENT_ID}-{prop_id}"
        self.audience.disturbed(0)
        if name in self._refused:
            self._refused.remove(name)
            self.broker.refuse(name, None)
        else:
            self._refused.add(name)
            self.broker.refuse(name, 135)

    async def lock_out(self, for_s: float) -> None:
        """The broker lets the host's own connection in no more for a while; its props' are there."""
        if (name := self._client("")) is not None:
            self.audience.link_lost()
            self.broker.refuse(CLIENT_ID, 135)
            self.broker.drop(name)
            self._later.start_soon(self._let_in, for_s)

    async def _let_in(self, after_s: float) -> None:
        await trio.sleep(after_s)
        self.broker.refuse(CLIENT_ID, None)

    async def slander(self, prop_id: str, word: str) -> None:
        """A stranger says what is not true; the host corrects it three times a minute."""
        now = trio.current_time()
        said = [each for each in self._slandered.get(prop_id, []) if now - each < 61]
        if self.broker.is_up and self.audience.reachable and len(said) < CORRECTED:
            self._slandered[prop_id] = [*said, now]
            self.audience.slandered(now)
            self.broker.publish(topics.availability(prop_id), word, 1, True)

    def _client(self, who: str) -> str | None:
        name = f"{CLIENT_ID}-{who}" if who else CLIENT_ID
        return name if name in self.broker.connected else None
