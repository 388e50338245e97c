"""A worker's standing follows from facts and is never written by hand: its phase, the link, its restarts, its mailbox."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Final, Protocol

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.flag import PASSED, Flag
from halloween_host.outbox import Outbox, Post
from halloween_host.presence import Voice, Word
from halloween_host.states import Health, State, encode_health
from halloween_host.supervisor._reviews import Reviews

__all__ = ["ALIVE", "Phase", "Standing"]

#: Seconds that the host's link may be away before a worker that cannot be commanded is no longer available.
LINK_GRACE_S: Final = 2.0
#: A worker that was restarted within so many seconds is degraded.
RECENT_S: Final = 60.0
#: Seconds between two looks at a count that changes often.
LOOK_S: Final = 1.0
#: The share of the mailbox from which a worker is degraded, and down to which it stays so.
FULL_FROM: Final = 0.5
FULL_TO: Final = 0.4

_log: Final = structlog.stdlib.get_logger()


class Phase(enum.Enum):
    """Where the life of a worker's instance stands."""

    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"
    STOPPED = "stopped"
    PANIC = "panic"


#: The phases in which there is an instance that commands are for.
ALIVE: Final = (Phase.STARTING, Phase.RUNNING)


class Mailbox(Protocol):
    """What a standing reads of a worker's commands."""

    @property
    def load(self) -> float:
        """The share of its room that is used."""

    @property
    def refused_count(self) -> int:
        """Commands that were not taken since the host started."""


class Standing:
    """Judges and says what one worker is. `wall` returns Unix seconds."""

    #: Whether it has a process of its own.
    isolated = False
    _host_trouble: str | None = None
    _pid: int | None = None

    def __init__(
        self,
        prop_id: str,
        dialect: str,
        voice: Voice,
        outbox: Outbox,
        reviews: Reviews,
        *,
        wall: Callable[[], float],
        mailbox: Mailbox,
        isolated: bool = False,
        pid: int | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self.reason: str | None = None
        self.restarts = 0
        #: Called once the broker has each `online`.
        self.born: Callable[[], None] = lambda: None
        #: False once the topics are somebody else's: then nothing is said any more.
        self.speaks = True
        self.dialect = dialect
        self._prop_id = prop_id
        self._voice = voice
        self._outbox = outbox
        self._reviews = reviews
        self._wall = wall
        self._mailbox = mailbox
        if isolated:  # few are: the others need no room for it
            self.isolated, self._pid = True, pid
        self._linked = False
        self._unlinked_at = -math.inf
        self._restarted_at = -math.inf
        self._restarted_for = ""
        self._blocked_at = -math.inf
        self._blocked = ""
        self._full = False
        self._look_asked = False
        self._changed = PASSED
        self._state = State.STARTING
        self._why: str | None = None
        self._since = wall()
        self._published: Health | None = None

    @property
    def changed(self) -> Flag:
        """Set at the next change of the phase or the state."""
        if self._changed.is_set():
            self._changed = Flag()
        return self._changed

    @property
    def state(self) -> State:
        return self._state

    @property
    def said(self) -> str | None:
        """The availability that the broker acknowledged; None while a word is on its way."""
        return self._voice.word if self._voice.out else None

    @property
    def health(self) -> Health:
        present = self._voice.present
        return Health(
            self._state,
            self._why,
            self._since,
            self.restarts,
            self.dialect,
            present,
            self._mailbox.refused_count,
            self.isolated,
            self._pid,
        )

    def enter(self, phase: Phase, reason: str | None = None) -> None:
        """The instance's life took a turn."""
        self.turn(phase, reason)
        self.review()
        self.tell()

    def turn(self, phase: Phase, reason: str | None = None) -> None:
        """As `enter`, and not a word of it yet: the caller, who has no time now, enters it again."""
        self.phase, self.reason = phase, reason

    def restarted(self, reason: str) -> None:
        """A new instance follows one that crashed."""
        self.restarts += 1
        self._restarted_at, self._restarted_for = trio.current_time(), reason
        self._reviews.ask(self._restarted_at + RECENT_S, self.review)

    def blocked(self, how: str) -> None:
        """A step of this worker kept the event loop from everybody; `how` long, and where."""
        self._blocked_at, self._blocked = trio.current_time(), how
        self._reviews.ask(self._blocked_at + RECENT_S, self.review)
        self.review()

    def while_blocked(self, reason: str) -> bytes | None:
        """The `status/health` that somebody else may say while this worker blocks us; None: not one word. From any thread."""
        if not self.speaks or self._state is State.OFFLINE:
            return None
        state = State.DEGRADED if self._state.available else self._state
        return encode_health(attrs.evolve(self.health, state=state, reason=reason, since=self._wall()))

    def say_health(self) -> None:
        """Somebody else said it meanwhile: say it again."""
        self._published = None
        self.review()

    def degrade(self, reason: str | None) -> None:
        """The host's own part in it is in trouble, for this reason, which stands beside any other; None: not any more."""
        self._host_trouble = reason
        self.review()

    def forgive(self) -> None:
        """Somebody started it on purpose: its last crash is no reason to look any more."""
        self._restarted_at = -math.inf

    def link_up(self) -> None:
        """The broker took our subscription: say anew what this worker is."""
        self._linked = True
        self._published = None
        before = self._voice.word
        self.review()
        self._voice.link_up(said_anew=self._voice.word != before)

    def link_down(self) -> None:
        """The host's link is away; after a moment of grace a worker that runs is `offline` for that reason."""
        if self._linked:
            self._linked, self._unlinked_at = False, trio.current_time()
            self._reviews.ask(self._unlinked_at + LINK_GRACE_S, self.review)

    def repeat(self) -> None:
        """Somebody overwrote our word: say it again."""
        self._voice.repeat()

    def count_changed(self) -> None:
        """Refusals or the mailbox's load changed: look within a second."""
        if not self._look_asked:
            self._look_asked = True
            self._reviews.ask(trio.current_time() + LOOK_S, self._look)

    def review(self) -> None:
        """Judge anew and say what changed."""
        state, why = self._judge()
        if (state, why) != (self._state, self._why):
            if state.available != self._state.available:
                _log.info("online" if state.available else f"offline: {why}", worker=self._prop_id)
            self._state, self._why, self._since = state, why, self._wall()
            self.tell()
        if not self.speaks:
            return
        word: Word = "online" if state.available else "offline"
        if word != self._voice.word:
            self._voice.say(word, self.born if word == "online" else None)
        health = self.health
        if health != self._published:
            self._published = health
            topic, now = topics.health(self._prop_id), self._outbox.now()
            payload = encode_health(health)
            self._outbox.post(Post(self._prop_id, topic, payload, "status", 1, True, now, wanted=self._wanted))

    def _wanted(self) -> bool:
        """Whether what waits for the broker may still be said."""
        return self.speaks

    def tell(self) -> None:
        """Wake those who wait for `changed`."""
        self._changed.set()

    def _look(self) -> None:
        self._look_asked = False
        self.review()
        if self._full:
            self.count_changed()

    def _judge(self) -> tuple[State, str | None]:
        if self.phase is Phase.STARTING:
            return State.STARTING, self.reason
        if self.phase is not Phase.RUNNING:
            self._full = False
            return State.OFFLINE, self.reason
        now = trio.current_time()
        if not self._linked and now >= self._unlinked_at + LINK_GRACE_S:
            if self._unlinked_at == -math.inf:
                return State.STARTING, "waits for the broker"
            return State.OFFLINE, "link"
        self._full = self._mailbox.load > (FULL_TO if self._full else FULL_FROM)
        reasons = [each for each in (self._own_trouble(now), self._host_trouble) if each is not None]
        return (State.DEGRADED, "; ".join(reasons)) if reasons else (State.ONLINE, None)

    def _own_trouble(self, now: float) -> str | None:
        if now < self._restarted_at + RECENT_S:
            return f"restarted after: {self._restarted_for}"
        if now - self._blocked_at < RECENT_S:
            return f"blocked {'its process' if self.isolated else 'the event loop'} for {self._blocked}"
        return "its mailbox is over half full" if self._full else None
