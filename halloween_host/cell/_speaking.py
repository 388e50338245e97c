"""What the worker says of itself, the host is told too: its health, its availability, and when that is out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from halloween_host import topics
from halloween_host.isolation import Wire
from halloween_host.outbox import Outbox, Post
from halloween_host.presence import HostVoice, Word

__all__ = ["OwnOutbox", "OwnVoice"]


class OwnOutbox(Outbox):
    """The host sees each health that is posted here."""

    def __init__(self, prop_id: str, wire: Wire, **options: Any) -> None:
        super().__init__(**options)
        self._health_topic = topics.health(prop_id)
        self._wire = wire

    def post(self, post: Post) -> None:
        if post.topic == self._health_topic:
            self._wire.tell("health", payload=post.payload.decode())
        super().post(post)


class OwnVoice(HostVoice):
    """The only connection that there is has the worker's own will. The host is told each word, and when it is out."""

    present = True

    def __init__(self, prop_id: str, outbox: Outbox, wire: Wire) -> None:
        super().__init__(prop_id, outbox)
        self._wire = wire

    def say(self, word: Word, done: Callable[[], None] | None = None) -> None:
        def out() -> None:
            self._wire.tell("said", word=word if self.out else None)
            if done is not None:
                done()

        self._wire.tell("said", word=None)
        super().say(word, out)
