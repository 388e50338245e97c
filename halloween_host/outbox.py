"""The outbox keeps what workers say until the broker has it, in a bounded space and never longer than it is worth saying.

Free of any event loop: `post` is called from Trio, from inside an asyncio guest and from threads, so it takes a lock for
microseconds, never waits and never raises. Whoever drains it (`halloween_host.link`) is woken by the `wake` it was made with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Literal

import attrs

__all__ = ["CAPACITY", "COMMAND_AGE_S", "LINES_KEPT", "Kind", "Outbox", "Outlet", "Post"]

#: Messages that wait at most. Beyond it only the newest value per topic is kept; when that is full too, the oldest goes, counted and said.
CAPACITY: Final = 10_000
#: A command that the broker did not acknowledge within this many seconds is dropped: a scare that comes late is worse than none.
COMMAND_AGE_S: Final = 5.0
#: `status/error` and `status/warn` lines kept while the broker is away; beyond it the oldest goes.
LINES_KEPT: Final = 200

_Key = int | tuple[str, bool]
Kind = Literal["availability", "command", "telemetry", "status", "line"]


@attrs.frozen
class Post:
    """One message on its way out. `posted_at` is in seconds of the outbox's clock; `out` is called once its PUBACK came."""

    prop_id: str
    topic: str
    payload: bytes
    kind: Kind
    qos: int = 0
    retain: bool = False
    posted_at: float = 0.0
    out: Callable[[], None] | None = attrs.field(default=None, eq=False, repr=False)

    def expired(self, now: float) -> bool:
        return self.kind == "command" and now - self.posted_at > COMMAND_AGE_S


class Outbox:
    """A bounded queue of posts: in order while the broker takes them, the newest value per topic while it is away.

    `wake` is called after every post, from whichever thread posted. `clock` returns seconds and may be called from any thread.
    `dropped` is told one sentence for every drop, with the prop it concerns.
    """

    def __init__(
        self, *, wake: Callable[[], None], clock: Callable[[], float], dropped: Callable[[str, str], None]
    ) -> None:
        self._wake = wake
        self._clock = clock
        self._dropped = dropped
        self._lock = threading.Lock()
        self._waiting: dict[_Key, Post] = {}
        self._lines = 0
        self._commands = 0
        self._next = 0
        self._folding = True

    def __len__(self) -> int:
        return len(self._waiting)

    def now(self) -> float:
        """Seconds on the clock by which commands age."""
        return self._clock()

    def post(self, post: Post) -> None:
        """Take a message; never blocks, never raises."""
        with self._lock:
            victims = []
            if not self._folding and len(self._waiting) >= CAPACITY:
                victims = self._refill(list(self._waiting.values()))
            victims += self._insert(post)
        self._say_overflow(victims)
        self._wake()

    def take(self, most: int) -> list[Post]:
        """The oldest `most` messages in order, without those that have grown too old."""
        with self._lock:
            taken = [self._remove(key) for key in list(islice(self._waiting, most))]
            if self._folding and len(self._waiting) < CAPACITY // 2:
                self._folding = False
        return self._without_expired(taken)

    def link_up(self) -> list[Post]:
        """The broker is there: availability that waits goes first and is handed out here; the rest follows through `take`."""
        with self._lock:
            first = [key for key, post in self._waiting.items() if post.kind == "availability"]
            return [self._remove(key) for key in first]

    def link_down(self, unacknowledged: Iterable[Post] = ()) -> None:
        """The broker went away: what it did not acknowledge waits again, ahead of what came since, and values fold."""
        with self._lock:
            victims = self._refill([*unacknowledged, *self._waiting.values()])
        self._say_overflow(victims)
        self.expire()

    def expire(self) -> float | None:
        """Drop commands that are too old, each with a line; seconds on the clock when the next one will be, None without any."""
        now = self._clock()
        with self._lock:
            if not self._commands:
                return None
            commands = [(key, post) for key, post in self._waiting.items() if post.kind == "command"]
            old = [self._remove(key) for key, post in commands if post.expired(now)]
            dues = [post.posted_at + COMMAND_AGE_S for _, post in commands if not post.expired(now)]
        self._without_expired(old)
        return min(dues, default=None)

    def _insert(self, post: Post) -> list[Post]:
        """Put it in, under the lock; the messages that had to go for it."""
        victims = []
        if post.kind == "line" and self._folding and self._lines >= LINES_KEPT:
            victims.append(self._remove_oldest(lambda old: old.kind == "line"))
        key: _Key = self._next
        if self._folding and post.kind not in ("command", "line"):
            key = (post.topic, post.retain)  # a later value that is not retained replaces none that is
            self._waiting.pop(key, None)
        else:
            self._next += 1
        if len(self._waiting) >= CAPACITY:
            victims.append(self._remove_oldest(lambda old: old.kind != "availability"))
        self._waiting[key] = post
        self._lines += post.kind == "line"
        self._commands += post.kind == "command"
        return victims

    def _remove_oldest(self, which: Callable[[Post], bool]) -> Post:
        first = next(iter(self._waiting))
        return self._remove(next((key for key, post in self._waiting.items() if which(post)), first))

    def _remove(self, key: _Key) -> Post:
        post = self._waiting.pop(key)
        self._lines -= post.kind == "line"
        self._commands -= post.kind == "command"
        return post

    def _refill(self, posts: Iterable[Post]) -> list[Post]:
        """Start anew with `posts`, from here on with the newest value per topic only, until half the space is free again."""
        self._waiting.clear()
        self._lines = self._commands = 0
        self._folding = True
        return [victim for post in posts for victim in self._insert(post)]

    def _without_expired(self, posts: list[Post]) -> list[Post]:
        now = self._clock()
        fresh = []
        for post in posts:
            if post.expired(now):
                age = now - post.posted_at
                self._dropped(
                    post.prop_id, f"command to {post.topic} dropped: {age:.1f} s old and the broker did not take it"
                )
            else:
                fresh.append(post)
        return fresh

    def _say_overflow(self, victims: Iterable[Post]) -> None:
        for victim in victims:
            self._dropped(victim.prop_id, f"the outbox is full, its oldest {victim.kind} is dropped: {victim.topic}")


class Outlet:
    """One worker instance's door to the outbox: telemetry waits behind it until `online` is out; closed, it drops with one line."""

    def __init__(self, prop_id: str, outbox: Outbox, warn: Callable[[str, str], None]) -> None:
        self.prop_id = prop_id
        self._outbox = outbox
        self._warn = warn
        self._lock = threading.Lock()
        self._held: dict[str, Post] | None = {}
        self._closed = False
        self._late = 0

    def post(self, topic: str, payload: bytes, kind: Kind, qos: int = 0, retain: bool = False) -> None:
        """Send a message or hold it; never blocks, never raises, from any thread."""
        post = Post(self.prop_id, topic, payload, kind, qos, retain, self._outbox.now())
        with self._lock:
            if self._closed:
                self._late += 1
            elif kind == "telemetry" and self._held is not None:
                self._held.pop(topic, None)
                self._held[topic] = post
                if len(self._held) > CAPACITY:
                    self._held.pop(next(iter(self._held)))
                return
            else:
                # under the lock, so that what `release` lets go stays ahead of what comes after it
                self._outbox.post(post)
                return
        if self._late == 1:
            self._warn(self.prop_id, f"still talks after its end; {topic} and all that follows is dropped")

    def warn(self, text: str) -> None:
        """One warning line about this worker, on the log and on its `status/warn`."""
        self._warn(self.prop_id, text)

    def release(self) -> None:
        """`online` is out: what was held follows, and nothing is held any more."""
        with self._lock:
            held, self._held = self._held or {}, None
            for post in held.values():
                self._outbox.post(post)

    def close(self) -> None:
        """This instance has ended: nothing that it says from here on leaves."""
        with self._lock:
            self._closed = True
            self._held = None
