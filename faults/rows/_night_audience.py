"""An audience that knows more of a night than of a short story: back-offs, floods, blocks and the disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio

from faults.rows._night_disk import DISK, Trouble
from faults.rows._night_watchdog import blocked_in
from halloween_host import topics
from halloween_host.testing import BrokerEvent, StageBroker
from tests.stories.audience import CALM_S, CLIENT_ID, CORRECTION_S, Audience, health_of
from tests.stories.calls import ANSWER_S
from tests.stories.crew import Entry
from tests.stories.memory import TOLD_S

__all__ = ["NAMED_S", "SHORT_S", "NightAudience"]

#: From a crash to the next start: the longest back-off, or once a minute past the limit, with `safe()` and `stop()` before it.
BACK_S: Final = 60.0 + 1.0 + 5.0 + 1.0
#: Starts of one prop by back-off within a minute: five, and one that the window has just let go of.
STARTS_A_MINUTE: Final = 6
#: Seconds between two looks for commands that nobody answered, and at what is stored.
SILENCE_S: Final = 60.0
#: Seconds until who blocks is named.
NAMED_S: Final = 0.5
#: A block of so many seconds costs nobody his connection: it is half a keep-alive.
SHORT_S: Final = 5.0


@attrs.frozen
class _Flood:
    """`acked` and `counted`: what the prop had refused before, by its acks and by its health."""

    prop_id: str
    at: float
    acked: int
    counted: int


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
        #: When each prop was last named for blocking.
        self._named: dict[str, float] = {}
        self._timed_out_at = -math.inf
        self._disk_lines_left = 0
        self._disk_said = False

    def host_starts(self) -> None:
        super().host_starts()
        DISK.dead = False
        self._disk_lines_left += 1
        for kept in (self._starts, self._orders, self._down_since, self._stopped, self._floods):
            kept.clear()

    def host_ended(self) -> None:
        self.look_for_silence()
        super().host_ended()

    def look_for_silence(self) -> None:
        """While a link is away answers wait for it, and so they do while the event loop is blocked."""
        if self.reachable and trio.current_time() - max(self._subscribed_at, self.diary.stood[1]) > ANSWER_S:
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

    # -- blocks

    def block_begins(self, seconds: float) -> None:
        """The event loop stands still for so long."""
        now = trio.current_time()
        self.diary.stood = now, now + seconds
        self._down_since = {prop_id: since + seconds for prop_id, since in self._down_since.items()}
        # who keeps his connection is well as soon as he gets his turn
        self.disturbed(seconds - (CALM_S - 1 if seconds <= SHORT_S else 0))
        if now < self.slandered_until < math.inf:
            self.slandered_until = now + seconds + CORRECTION_S

    def check_named(self, prop_id: str, began: float) -> None:
        """By now everybody can read who blocks, and where."""
        reason = health_of(self._broker.retained, prop_id).get("reason")
        if self._named.get(prop_id, -math.inf) < began:
            self.lie(f"{prop_id} blocks the event loop for {NAMED_S:g} s, and nobody says so on its status/error")
        if blocked_in(prop_id) not in str(reason):
            self.lie(f"{prop_id} blocks the event loop, and its health says {reason}")

    def block_ended(self, prop_id: str, reason: str | None) -> None:
        """`reason` is what the health of who blocked says now."""
        began, ended = self.diary.stood
        told = f"blocked the event loop for {ended - began:.1f} s {blocked_in(prop_id)}"
        if told not in str(reason) and "restarted after" not in str(reason):
            self.lie(f"{prop_id} blocked the event loop, and its health says {reason}")
        if ended - began <= SHORT_S and self._timed_out_at >= began:
            self.lie(f"a block of {ended - began:g} s cost somebody the connection")

    def check_all_offline(self) -> None:
        """The host ended itself over a block: every will says so."""
        retained = self._broker.retained
        for prop_id in self.crew:
            there = retained.get(topics.HOST_AVAILABILITY) == b"online" or health_of(retained, prop_id).get("presence")
            if there and retained.get(topics.availability(prop_id)) == b"online":
                self.lie(f"{prop_id} is online, and its host has ended itself")

    # -- the disk

    def disk_is(self, trouble: Trouble | None) -> None:
        now = trio.current_time()
        if trouble is not None:
            self._disk_lines_left += self.memory.well_at < math.inf
            self.memory.disk_fails(now)
            if self.memory.trouble_at == now:
                self._disk_said = False
            return
        self.memory.disk_is_well(now)
        began = self.memory.trouble_at
        calm = self.alive and max(self._told_from, self.disturbed_until + CALM_S) < began
        if calm and not self._disk_said and self.memory.stored_between(began, now - TOLD_S):
            self.lie("the disk took nothing, and the host said not a word of it")

    @property
    def _told_from(self) -> float:
        return max(self._life_began, self._subscribed_at)

    def _hear_of_disk(self, text: str) -> None:
        if "what workers store is kept in memory" in text:
            self._disk_said = True
            self._disk_lines_left -= 1
            if self._disk_lines_left < 0:
                self.lie(f"the disk's trouble is said again and again: {text}")

    def _look_at_memory(self, now: float) -> None:
        calm_since = max(self._told_from + TOLD_S, self.disturbed_until + CALM_S)
        if self.alive and self._subscribed and now > calm_since:
            retained = self._broker.retained
            healths = {prop_id: health_of(retained, prop_id) for prop_id in self.diary.hearts}
            self.memory.look(now, calm_since, healths)

    # -- what is to be seen

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
        if event.kind == "disconnect" and event.text == "keep-alive timeout" and event.identifier.startswith(CLIENT_ID):
            self._timed_out_at = event.at
        if event.kind == "publish" and event.topic.endswith("/status/error"):
            prop_id, text = event.topic.split("/")[1], event.payload.decode()
            if prop_id == topics.HOST:
                self._hear_of_disk(text)
            elif text.startswith("blocks ") and blocked_in(prop_id) in text:
                self._named[prop_id] = event.at
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
            self._look_at_memory(now)
        elif self.memory.trouble_at < math.inf:
            self._look_at_memory(now)
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
