"""The outbox keeps what workers say until the broker has it, in a bounded space and never longer than it is worth saying.

Free of any event loop: `post` is called from Trio, from inside an asyncio guest and from threads, so it takes a lock for
microseconds, never waits and never raises. Whoever drains it (`halloween_host.link`) is woken by the `wake` it was made with.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, Literal

import attrs

from halloween_host import topics

__all__ = ["CAPACITY", "COMMAND_AGE_S", "LINES_KEPT", "Kind", "Outbox", "Post"]

#: Messages that wait at most. Beyond it only the newest value per topic is kept; when that is full too, the oldest goes, counted and said.
CAPACITY: Final = 10_000
#: Messages of one worker at its start and end (availability, health, and two of its own): a host of thousands has room for all.
FIRST_WORDS: Final = 4
#: A command that the broker did not acknowledge within this many seconds is dropped: a scare that comes late is worse than none.
COMMAND_AGE_S: Final = 5.0
#: `status/error` and `status/warn` lines kept while the broker is away; beyond it the oldest goes.
LINES_KEPT: Final = 200

#: Commands of `safe()` remembered until they come back from the broker.
ECHOES_KEPT: Final = 1_000

_Key = int | tuple[str, bool]
#: Kinds that the outbox counts, or keeps apart.
_COUNTED: Final = ("command", "safe", "line")
Kind = Literal["availability", "command", "safe", "ack", "telemetry", "status", "line"]


@attrs.define  # frozen, making one would take four times as long, and every word of a worker is one
class Post:
    """One message on its way out, not to be changed. A command of `safe()` has a kind of its own: it never grows old.

    `posted_at` is in seconds of the outbox's clock; `out` is called once its PUBACK came. `wanted` is asked when it is about to
    leave: what is wanted no more does not. `correlation` is what an answer carries back to who asked (MQTT 5, section 3.3.2.3.6).
    """

    prop_id: str
    topic: str
    payload: bytes
    kind: Kind
    qos: int = 0
    retain: bool = False
    posted_at: float = 0.0
    correlation: bytes | None = None
    ttl_s: float = COMMAND_AGE_S
    out: Callable[[], None] | None = attrs.field(default=None, eq=False, repr=False)
    wanted: Callable[[], bool] | None = attrs.field(default=None, eq=False, repr=False)

    def expired(self, now: float) -> bool:
        return self.kind == "command" and now - self.posted_at > self.ttl_s


class Outbox:
    """A bounded queue of posts: in order while the broker takes them, the newest value per topic while it is away.

    `wake` is called after every post, from whichever thread posted. `clock` returns seconds and may be called from any thread.
    `dropped` is told one sentence for every drop, with the prop it concerns.
    """

    def __init__(
        self, *, wake: Callable[[], None], clock: Callable[[], float], dropped: Callable[[str, str], None]
    ) -> None:
        #: Seconds on the clock by which commands age.
        self.now = clock
        self._wake = wake
        self._dropped = dropped
        self._capacity = CAPACITY
        self._lock = threading.Lock()
        self._waiting: dict[_Key, Post] = {}
        self._first: deque[Post] = deque()  # of `safe()`: what a broker that is away gets before all else
        #: By topic and payload: how often, and whether a prop's own worker sent it.
        self.echoes: dict[tuple[str, bytes], tuple[int, bool]] = {}
        self._lines = 0
        self._commands = 0
        self._next = 0
        self._folding = True
        self._latched = False
        #: Called whenever a command begins to wait, from whichever thread posted it.
        self.command_waits: Callable[[], None] = lambda: None
        #: Commands that a panic kept from leaving.
        self.refused = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._first)

    def make_room(self, workers: int) -> None:
        """Let at least so many workers say their first words at once."""
        self._capacity = max(self._capacity, FIRST_WORDS * workers)

    def latch(self) -> None:
        """A panic: no command leaves any more, those that wait included; what `safe()` sends does."""
        with self._lock:
            self._latched = True
            self._refill(list(self._waiting.values()), folding=self._folding)

    def refuse_command(self) -> None:
        """Count a command that was kept from leaving before it came here."""
        with self._lock:
            self.refused += 1

    def is_echo(self, topic: str, payload: bytes, *, own: bool) -> bool:
        """Whether a message is one of `safe()`'s coming back to us, meant for firmware; each counts once.

        With `own`, only what a worker sent to its own prop.
        """
        if not self.echoes:
            return False
        with self._lock:
            count, is_own = self.echoes.get((topic, payload), (0, False))
            if not count or (own and not is_own):
                return False
            del self.echoes[topic, payload]
            if count > 1:
                self.echoes[topic, payload] = (count - 1, is_own)
        return True

    def unlatch(self) -> None:
        """The panic is over: commands leave again."""
        self._latched = False

    def post(self, post: Post) -> None:
        """Take a message; never blocks, never raises."""
        victims: list[Post] = []
        with self._lock:
            if self._folding or post.kind in _COUNTED or len(self._waiting) >= self._capacity:
                if not self._folding and len(self._waiting) >= self._capacity:
                    victims = self._refill(list(self._waiting.values()), folding=True)
                victims += self._insert(post)
            else:
                self._waiting[self._next] = post
                self._next += 1
        if victims:
            self._say_overflow(victims)
        self._wake()

    def take(self, most: int) -> list[Post]:
        """The oldest `most` messages in order, without those that have grown too old."""
        with self._lock:
            taken = [self._first.popleft() for _ in range(min(most, len(self._first)))] if self._first else []
            keys = list(islice(self._waiting, most - len(taken)))
            commands = self._commands
            if commands or self._lines:
                taken += [self._remove(key) for key in keys]
            else:  # none of them is counted
                taken += map(self._waiting.pop, keys)
            if self._folding and len(self._waiting) < self._capacity // 2:
                self._folding = False
        return self._without_expired(taken) if commands else taken

    def link_up(self) -> list[Post]:
        """The broker is there: what `safe()` said goes first, then availability; both are handed out here, the rest by `take`."""
        with self._lock:
            safe = list(self._first)
            self._first.clear()
            first = [key for key, post in self._waiting.items() if post.kind == "availability"]
            taken = safe + [self._remove(key) for key in first]
            if len(self._waiting) < self._capacity // 2:
                self._folding = False
            return taken

    def link_down(self, unacknowledged: Iterable[Post] = ()) -> None:
        """The broker went away: what it did not acknowledge waits again, ahead of what came since, and values fold."""
        lost = list(unacknowledged)
        with self._lock:
            self._first.extendleft(reversed([post for post in lost if post.kind == "safe"]))
            rest = [post for post in lost if post.kind != "safe"]
            victims = self._refill([*rest, *self._waiting.values()], folding=True)
        self._say_overflow(victims)
        self.expire()

    def expire(self) -> float | None:
        """Drop commands that are too old, each with a line; seconds on the clock when the next one will be, None without any."""
        now = self.now()
        with self._lock:
            if not self._commands:
                return None
            commands = [(key, post) for key, post in self._waiting.items() if post.kind == "command"]
            old = [self._remove(key) for key, post in commands if post.expired(now)]
            dues = [post.posted_at + post.ttl_s for _, post in commands if not post.expired(now)]
        self._without_expired(old)
        return min(dues, default=None)

    def _insert(self, post: Post) -> list[Post]:
        """Put it in, under the lock; the messages that had to go for it."""
        if post.kind == "safe":
            self._first.append(post)
            self._expect_echo(post)
            return [self._first.pop()] if len(self._first) > self._capacity else []
        if post.kind == "command" and self._latched:
            self.refused += 1
            return []
        victims = []
        if post.kind == "line" and self._folding and self._lines >= LINES_KEPT:
            victims.append(self._remove_oldest(lambda old: old.kind == "line"))
        key: _Key = self._next
        if self._folding and post.kind not in ("command", "ack", "line"):
            key = (post.topic, post.retain)  # a later value that is not retained replaces none that is
            self._waiting.pop(key, None)
        else:
            self._next += 1
        if len(self._waiting) >= self._capacity:
            victims.append(self._remove_oldest(lambda old: old.kind != "availability"))
        self._waiting[key] = post
        self._lines += post.kind == "line"
        if post.kind == "command":
            self._commands += 1
            self.command_waits()
        return victims

    def _expect_echo(self, post: Post) -> None:
        echo = (post.topic, post.payload)
        count, _ = self.echoes.pop(echo, (0, False))
        self.echoes[echo] = (count + 1, post.topic == topics.command(post.prop_id))
        if len(self.echoes) > ECHOES_KEPT:
            del self.echoes[next(iter(self.echoes))]

    def _remove_oldest(self, which: Callable[[Post], bool]) -> Post:
        first = next(iter(self._waiting))
        return self._remove(next((key for key, post in self._waiting.items() if which(post)), first))

    def _remove(self, key: _Key) -> Post:
        post = self._waiting.pop(key)
        self._lines -= post.kind == "line"
        self._commands -= post.kind == "command"
        return post

    def _refill(self, posts: Iterable[Post], *, folding: bool) -> list[Post]:
        """Start anew with `posts`; `folding`: with the newest value per topic only, until half the space is free again."""
        self._waiting.clear()
        self._lines = self._commands = 0
        self._folding = folding
        return [victim for post in posts for victim in self._insert(post)]

    def _without_expired(self, posts: list[Post]) -> list[Post]:
        now = self.now()
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
