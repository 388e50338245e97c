"""The audience sees what any subscriber sees, knows from the diary what is true, and calls every lie by its name."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import trio

from halloween_host import topics
from halloween_host.latch import LATCH_FILE
from halloween_host.testing import BrokerEvent, StageBroker
from tests.stories.calls import ACTIONS, Calls
from tests.stories.crew import BEAT_S, CREW, Diary, Entry
from tests.stories.memory import Memory

__all__ = ["CALM_S", "CLIENT_ID", "CORRECTION_S", "Audience", "health_of"]

CLIENT_ID: Final = "halloween-stage"

#: Seconds within which the truth must stand when nothing is in the way.
AT_ONCE_S: Final = 0.1
#: The host's link may be away for 2 s before its props are offline for it.
LINK_S: Final = 2.5
#: From the end of a disturbance to the truth: 1.5 × keep-alive (10 s) until the broker drops who is silent, two keep-alives
#: until a client gives up a silent broker, and the cap of the back-off (10 s).
CALM_S: Final = 45.0
#: A prop that runs and can be commanded is online after so many seconds of calm (a presence that fails is given up after 5 s).
BIRTH_S: Final = 7.0
#: Seconds within which the host corrects a stranger's word.
CORRECTION_S: Final = 3.0

_read: Final[Callable[[bytes], dict[str, Any]]] = lru_cache(1_000)(json.loads)  # hardly any word is new


class Audience:
    """An observer of `broker`; `lies` is what it found."""

    def __init__(self, broker: StageBroker, folder: Path, crew: Sequence[str] = CREW, beat_s: float = BEAT_S) -> None:
        self.lies: list[str] = []
        self.crew = crew
        #: Whether a prop's health calls it available; one that is being stopped does not crash any more.
        self.available: Callable[[str], bool] = lambda prop_id: True
        self.calls = Calls(self.lie)
        self.memory = Memory(self.lie)
        self.diary = Diary(self.latched, self.told, beat_s)
        self.life = 0
        self.alive = False
        #: Until when a stranger's word may stand uncorrected.
        self.slandered_until = -math.inf
        #: Until when something is in the way of the truth.
        self.disturbed_until = -math.inf
        self._broker = broker
        self._latch = folder / LATCH_FILE
        self._began = trio.current_time()
        self._life_began = 0.0
        self._connected = self._subscribed = False
        self._subscribed_at = self._unsubscribed_at = -math.inf
        self._born_of: dict[str, int] = {}
        self._offline_since_birth: dict[str, bool] = {}
        self._contradicts: dict[str, float] = {}
        self._unseen: dict[str, float] = {}
        self._latched_at: float | None = None
        self._crashed: dict[str, int] = {}
        self._taken_over_at = math.inf
        #: The host died while nobody could hear of it: its last words stand until it is back.
        self.unheard = False
        broker.observers.append(self.hear)

    # -- what the theatre tells

    def latched(self) -> bool:
        latched = self._latch.exists()
        if not latched:
            self._latched_at = None
        elif self._latched_at is None:
            self._latched_at = trio.current_time()
        return latched

    def host_starts(self) -> None:
        self.life += 1
        self.alive, self._taken_over_at = True, math.inf
        self._life_began = trio.current_time()
        self._crashed.clear()

    def host_ended(self) -> None:
        self.alive = False
        self._contradicts.clear()
        if self._taken_over_at < math.inf:
            self._offline_since_birth.update(dict.fromkeys(self.crew, True))
        if not self._broker.is_up or trio.current_time() < self.slandered_until:
            self.unheard = True  # or another's since it was taken over

    def taken_over(self) -> None:
        """From here on another host answers for what stands on the topics."""
        self.unheard, self._taken_over_at = True, trio.current_time()

    def disturbed(self, for_s: float) -> None:
        self.disturbed_until = max(self.disturbed_until, trio.current_time() + for_s)

    def slandered(self, now: float) -> None:
        """A stranger's word stands, which the host hears and corrects."""
        self.slandered_until = now + CORRECTION_S

    def link_lost(self) -> None:
        """What was on its way on the host's connection may be lost."""
        self.calls.lost(trio.current_time())
        if trio.current_time() < self.slandered_until:
            self.slandered_until = math.inf  # nobody hears it to correct it

    def crashed(self, prop_id: str) -> None:
        """The instance of `prop_id` that runs now has crashed."""
        if prop_id in self.diary.hearts:
            self._crashed[prop_id] = self.diary.hearts[prop_id][0].number

    def lie(self, text: str) -> None:
        self.lies.append(f"{trio.current_time() - self._began:9.3f}  {text}")

    @property
    def calm_s(self) -> float:
        """Seconds since the last disturbance's consequences are over; negative while they may last."""
        return trio.current_time() - self.disturbed_until - CALM_S

    @property
    def reachable(self) -> bool:
        """Whether what is sent to the host arrives there."""
        return self.calm_s > 0 and self._subscribed

    # -- what the workers do

    def told(self, entry: Entry) -> None:
        prop_id, number, latched = entry.me.prop_id, entry.me.number, self.latched()
        self.memory.told(entry)
        if entry.what == "starting":
            self._check_start(entry, latched)
        elif entry.what in ACTIONS:
            if latched:
                self.lie(f"{prop_id} began {entry.what} while latched")
            self.calls.ran(entry, self.life)
            if entry.what == "die" and self.available(prop_id):
                self.crashed(prop_id)
        elif entry.what == "close":
            self.lie(f"{prop_id} took the command of its own safe() for one to itself: instance {number}")
        elif entry.what == "late":
            self.lie(f"{prop_id}'s task had its turn {entry.text} too late")

    def _check_start(self, entry: Entry, latched: bool) -> None:
        prop_id = entry.me.prop_id
        if latched:
            self.lie(f"{prop_id} starts while latched")
        if prop_id in self.diary.hearts:
            self.lie(f"{prop_id} starts beside its last instance")
        crashed = self._crashed.pop(prop_id, None)
        if crashed is not None and not any(
            each.what == "safe" and each.me.number == crashed for each in self.diary.entries
        ):
            self.lie(f"{prop_id} starts again, and the safe() of its crashed instance {crashed} was skipped")

    # -- what the broker sees

    def hear(self, event: BrokerEvent) -> None:
        match event.kind:
            case "connect" | "disconnect" | "subscribe" if event.identifier == CLIENT_ID:
                self._link(event)
            case "down":  # whoever looked on knows that they missed something
                self._offline_since_birth.update(dict.fromkeys(self.crew, True))
            case "publish" | "will":
                self._publish(event)

    def _link(self, event: BrokerEvent) -> None:
        if event.kind == "subscribe":
            if event.text == topics.ALL_COMMANDS:
                self._subscribed, self._subscribed_at = True, event.at
                if self.slandered_until == math.inf:
                    self.slandered(event.at)
        else:
            self._connected = event.kind == "connect"
            if self._subscribed:
                self._subscribed, self._unsubscribed_at = False, event.at

    def _publish(self, event: BrokerEvent) -> None:
        if event.topic == topics.HOST_PANIC:
            self._report(json.loads(event.payload))
        if event.topic == topics.HOST_AVAILABILITY and event.payload == b"offline":
            there = self._broker.retained
            without = [prop_id for prop_id in self.crew if not health_of(there, prop_id).get("presence")]
            self._offline_since_birth.update(dict.fromkeys(without, True))
        parsed = topics.parse_topic(event.topic)
        if parsed is None:
            return
        ours = event.identifier.startswith(CLIENT_ID)
        if event.topic.endswith("firmware/cmd") and b"latched" in event.payload:
            self.lie(f"a command left that was sent while latched: {event.payload!r}")
        if parsed.prop_id not in self.crew:
            return
        text = event.payload.decode()
        if parsed.kind == "telemetry" and parsed.key != "safe" and "latched" in text:
            self.lie(f"{parsed.prop_id} said {parsed.key} while latched, and it left")
        elif parsed.kind == "ack":
            self.calls.acked(parsed.prop_id, json.loads(text))
        elif parsed.key == "availability" and event.retain and ours:
            self._availability(parsed.prop_id, text)

    def _availability(self, prop_id: str, word: str) -> None:
        now = trio.current_time()
        if now - self._taken_over_at > AT_ONCE_S:
            self.lie(f"{prop_id} is said to be {word} by a host whose client id is another's")
        if word == "offline":
            self._offline_since_birth[prop_id] = True
            return
        if not self._subscribed and now - self._unsubscribed_at > AT_ONCE_S and self.calm_s > -CALM_S:
            self.lie(f"{prop_id} was born before the host's cmd subscription on its current link")
        number = self.diary.hearts[prop_id][0].number if prop_id in self.diary.hearts else None
        if number is None:
            return  # on its way as the worker ended; how long it stands is measured
        before = self._born_of.get(prop_id)
        if before not in (None, number) and not self._offline_since_birth.get(prop_id) and self.calm_s > 0:
            self.lie(f"{prop_id}: two instances ({before}, {number}) were born and no offline between them")
        self._born_of[prop_id] = number
        self._offline_since_birth[prop_id] = False

    def _report(self, report: dict[str, Any]) -> None:
        if not report["active"] or report["took_ms"] is None:
            return
        named = sorted([*report["safe"], *report["no_safe"], *report["unsafe"]])
        if named != sorted(self.crew):
            self.lie(f"the panic's report names {', '.join(named)}, the crew is {', '.join(self.crew)}")
        for prop_id in self.crew:
            if "it has ended" in report["unsafe"].get(prop_id, ""):
                continue  # by its stop(), as the host stopped
            if not any(
                each.what == "safe" and each.me.prop_id == prop_id and each.at >= self._life_began
                for each in self.diary.entries
            ):
                self.lie(f"the safe() of {prop_id} was skipped in a panic")

    # -- what stands

    def look(self) -> None:
        """Compare what a subscriber may see now with the truth."""
        now, latched = trio.current_time(), self.latched()
        corrected = now - self._subscribed_at > CORRECTION_S and self._taken_over_at == math.inf
        if self.alive and self._subscribed and corrected:
            self.unheard = False
        if not self._broker.is_up:
            return
        retained = self._broker.retained
        host_online = retained.get(topics.HOST_AVAILABILITY) == b"online"
        if host_online and not self._connected and self.calm_s > 0 and not self.unheard:
            self.lie("the host is online and has no connection")
        for prop_id in self.crew:
            self._look_at(prop_id, now, host_online, retained)
            if latched and prop_id in self.diary.hearts and now - (self._latched_at or now) > AT_ONCE_S:
                self.lie(f"a task of {prop_id} is alive while latched")
        if self.alive and self._subscribed and self.calm_s > 0 and now - self._subscribed_at > 1:
            self._look_at_panic(latched, now, retained)

    def _look_at(self, prop_id: str, now: float, host_online: bool, retained: Mapping[str, bytes]) -> None:
        availability = retained.get(topics.availability(prop_id), b"").decode()
        health = health_of(retained, prop_id)
        seen_online = availability == "online" and (health.get("presence") is True or host_online)
        heart = self.diary.hearts.get(prop_id)
        stopped_at = self.diary.stopped_at.get(prop_id, -math.inf)
        if self.calm_s <= 0 or self.unheard or now < self.slandered_until:
            self._contradicts.pop(prop_id, None)
            self._unseen.pop(prop_id, None)
            return
        told_from = max(self._life_began, self._subscribed_at)
        if seen_online and heart is None and now - max(stopped_at, told_from) > AT_ONCE_S:
            self.lie(f"{prop_id} is online and does not run since {now - stopped_at:g} s")
        if seen_online and not self._subscribed and now - self._unsubscribed_at > LINK_S:
            self.lie(f"{prop_id} is online and cannot be commanded since {now - self._unsubscribed_at:g} s")
        if heart is None or not self._subscribed or seen_online:
            self._unseen.pop(prop_id, None)
        elif now - self._unseen.setdefault(prop_id, now) > BIRTH_S:
            self.lie(f"{prop_id} runs and is {availability or 'unknown'}; health {health}")
        if self.alive and self._subscribed and now - told_from > 2 and health:
            if (health["state"] in ("online", "degraded")) == (availability == "online"):
                self._contradicts.pop(prop_id, None)
            elif now - self._contradicts.setdefault(prop_id, now) > 1:
                self.lie(f"{prop_id} is {availability}, and its health says {health['state']}: {health['reason']}")

    def _look_at_panic(self, latched: bool, now: float, retained: Mapping[str, bytes]) -> None:
        panic = _read(retained.get(topics.HOST_PANIC, b'{"active": null}'))
        if panic["active"] is not latched and (self._latched_at is None or now - self._latched_at > AT_ONCE_S):
            if now - self._contradicts.setdefault("panic", now) > 1:
                self.lie(f"status/panic is active: {panic['active']}, and the latch is {latched}")
        else:
            self._contradicts.pop("panic", None)

    def look_for_silence(self) -> None:
        self.calls.look_for_silence(trio.current_time(), self.life)


def health_of(retained: Mapping[str, bytes], prop_id: str) -> dict[str, Any]:
    return _read(retained.get(topics.health(prop_id), b"{}"))
