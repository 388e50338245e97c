"""A presence is one worker's own connection, so that a will speaks for it: MQTT allows one will a connection.

Source: MQTT 5, section 3.1.2.5 (will flag); 3.1.4 (a client id that connects again ends the old connection, its will goes out
before the new CONNACK).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, Protocol

import structlog
import trio

from halloween_host import topics
from halloween_host.mqtt import AnyClient, MqttCodeError, MqttError, Receipt, Will
from halloween_host.outbox import Outbox, Post
from halloween_host.refusals import REFUSED_AGAIN_S

__all__ = ["HostVoice", "Presence", "Voice", "Word", "will_of"]

#: A worker whose own connection does not come up so many seconds, while the host's is there, speaks over the host's.
PATIENCE_S: Final = 5.0
#: Words that wait for the connection at most; the newest is the truth.
WORDS_KEPT: Final = 16

Word = Literal["online", "offline"]

_PAYLOADS: Final[dict[Word, bytes]] = {"online": b"online", "offline": b"offline"}

_log: Final = structlog.stdlib.get_logger()


def will_of(prop_id: str) -> Will:
    """What the broker says for a worker whose connection ends without its DISCONNECT."""
    return Will(topics.availability(prop_id), b"offline", qos=1, retain=True)


class Voice(Protocol):
    """Says one worker's availability. `word` is the last one, `out` whether its PUBACK came."""

    @property
    def word(self) -> Word | None: ...

    @property
    def out(self) -> bool: ...

    @property
    def present(self) -> bool:
        """Whether a will of the worker's own stands behind the word."""

    def say(self, word: Word, done: Callable[[], None] | None = None) -> None:
        """Publish it, retained; `done` is called once its PUBACK came."""

    def repeat(self) -> None:
        """Publish the last word again: somebody overwrote it, or the broker forgot."""

    def link_up(self, *, said_anew: bool = False) -> None:
        """The broker took the host's `cmd` subscription, on a new connection; `said_anew`: the word was just said for it."""


class _Way:
    """A word's way to the broker. When a host starts, thousands are under way: closures would take four times as much."""

    __slots__ = ("_done", "_number", "_voice")

    def __init__(self, voice: HostVoice, number: int, done: Callable[[], None] | None) -> None:
        self._voice = voice
        self._number = number
        self._done = done

    def out(self) -> None:
        self._voice.acknowledged(self._number)
        if self._done is not None:
            self._done()

    def wanted(self) -> bool:
        return self._voice.wants(self._number)


class HostVoice:
    """Availability over the host's own connection, by the outbox: it counts only while the host's is `online`."""

    present = False

    def __init__(self, prop_id: str, outbox: Outbox) -> None:
        self.word: Word | None = None
        self.out = False
        self._prop_id = prop_id
        self._outbox = outbox
        self._done: Callable[[], None] | None = None
        self._said = 0
        self._withdrawn = 0

    def say(self, word: Word, done: Callable[[], None] | None = None) -> None:
        self.word, self.out, self._done = word, False, done
        self._said += 1
        way = _Way(self, self._said, done)
        topic, payload, now = topics.availability(self._prop_id), _PAYLOADS[word], self._outbox.now()
        post = Post(self._prop_id, topic, payload, "availability", 1, True, now, out=way.out, wanted=way.wanted)
        self._outbox.post(post)

    def acknowledged(self, number: int) -> None:
        """The broker has the word with this number, of those that were said."""
        self.out = self.out or number == self._said

    def wants(self, number: int) -> bool:
        """Whether that one may still be said."""
        return number > self._withdrawn

    def withdraw(self) -> None:
        """Somebody else speaks from here on: what still waits for the host's connection must not contradict it."""
        self._withdrawn = self._said

    @property
    def said(self) -> Word | None:
        """See `witness.Subject`."""
        return self.word if self.out else None

    def repeat(self) -> None:
        if self.word is not None:
            self.say(self.word, self._done)

    def link_up(self, *, said_anew: bool = False) -> None:
        if not said_anew:
            self.repeat()


class Presence:
    """A `Voice` with a connection of its own. `allowed` tells whether the broker took the host's `cmd` subscription.

    `changed` is called when `present` did. Whatever the connection's state, the newest word is what is said next.
    """

    def __init__(
        self, prop_id: str, host_voice: HostVoice, *, allowed: Callable[[], bool], changed: Callable[[], None]
    ) -> None:
        self.word: Word | None = None
        self.out = False
        #: Without a refusal it is taken for granted: the first word waits for the connection.
        self.present = True
        self._prop_id = prop_id
        self._host_voice = host_voice
        self._allowed = allowed
        self._changed = changed
        self._done: Callable[[], None] | None = None
        self._said = 0
        self._waiting: deque[tuple[int, Word]] = deque(maxlen=WORDS_KEPT)
        self._news = trio.Event()
        self._refused = False
        self._leaving = False
        #: Set once it left in good order, or has no connection to leave by.
        self.gone = trio.Event()
        self._failing_since: float | None = None
        self._client: AnyClient | None = None

    def say(self, word: Word, done: Callable[[], None] | None = None) -> None:
        self.word, self.out, self._done = word, False, done
        self._said += 1
        self._waiting.append((self._said, word))
        if not self.present:
            self._waiting.clear()
            self._host_voice.say(word, self._acknowledged(self._said))
        self._flush()

    def repeat(self) -> None:
        if self.word is not None:
            self.say(self.word, self._done)

    def leave(self) -> None:
        """Close the connection by DISCONNECT once the last word is out; the will is not sent then."""
        self._leaving = True
        self._news.set()
        if self._client is None:  # it speaks over the host, or the will did
            self.gone.set()

    def link_up(self, *, said_anew: bool = False) -> None:
        self._flush()  # a birth that waited for it may go out
        if not self.present:
            self._host_voice.link_up(said_anew=said_anew)

    def failed(self, error: MqttError) -> None:
        """An attempt to connect failed; while the host's own connection is there, that is this worker's trouble alone."""
        now = trio.current_time()
        if not self._allowed():
            self._failing_since = None
            return
        if self._failing_since is None:
            self._failing_since = now
        refused = isinstance(error, MqttCodeError)
        if self.present and (refused or now - self._failing_since >= PATIENCE_S):
            _log.warning(
                f"has no connection of its own ({error}): its online counts only while {topics.HOST} is online",
                worker=self._prop_id,
            )
            self.present = False
            if self.word is not None:
                self._host_voice.say(self.word, self._acknowledged(self._said))
            self._changed()

    async def serve(self, client: AnyClient) -> None:
        """A `Session`: returns after `leave`."""
        self._failing_since = None
        if not self.present:
            self.present = True
            self._host_voice.withdraw()
            _log.info("has a connection of its own again", worker=self._prop_id)
            self._changed()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, client)
                await self._speak(client)
                nursery.cancel_scope.cancel()
        except BaseException:
            if self._leaving:
                self.gone.set()
            self.out = False  # the will stands there now: no witness shall take it for somebody else's
            raise
        self.gone.set()

    async def _speak(self, client: AnyClient) -> None:
        self._waiting.clear()  # what was said while we were away is history
        if self.word is not None:
            self._waiting.append((self._said, self.word))
        self._client = client
        try:
            while True:
                self._news = trio.Event()
                self._flush()
                if self._leaving and not self._waiting and (self.out or self.word is None):
                    return
                with trio.move_on_after(REFUSED_AGAIN_S if self._refused else math.inf) as again:
                    await self._news.wait()
                if again.cancelled_caught:
                    self.repeat()
        finally:
            self._client = None

    def _flush(self) -> None:
        """Publish what may go out now: at once, not in a task's next turn, so that `offline` is ahead of what follows it."""
        while self._client is not None and self._waiting:
            said, word = self._waiting[0]
            # A birth before the host hears commands would promise what it cannot keep; the will says `offline` meanwhile.
            if word == "online" and not self._allowed():
                if len(self._waiting) == 1:
                    return
                self._waiting.popleft()  # taken back before it could go out
                continue
            self._waiting.popleft()
            self._publish(self._client, word, self._acknowledged(said))

    def _publish(self, client: AnyClient, word: Word, acknowledged: Callable[[], None]) -> None:
        def done(receipt: Receipt) -> None:
            if receipt.error is None:
                self._refused = False
                acknowledged()
            elif receipt.refused:  # an ACL: nobody sees it, but the worker works
                if not self._refused:
                    _log.error(f"the broker refused its availability: {receipt.error}", worker=self._prop_id)
                self._refused = True
                acknowledged()

        with suppress(MqttError):  # the connection is lost: the newest word is what the next one begins with
            client.publish_nowait(topics.availability(self._prop_id), word, 1, True, on_done=done)

    def _acknowledged(self, said: int) -> Callable[[], None]:
        def acknowledged() -> None:
            if said != self._said or self.out:
                return
            self.out = True
            self._news.set()
            if self._done is not None:
                self._done()

        return acknowledged


async def _watch(client: AnyClient) -> None:
    raise await client.wait_disconnected()
