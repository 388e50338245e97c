"""What the broker refuses of us (an ACL) is said in the log, and what lasts of it is said to the broker again until it takes it."""

from __future__ import annotations

from typing import Final

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.mqtt import MqttError
from halloween_host.outbox import Post
from halloween_host.repeats import Repeats

__all__ = ["REFUSED_AGAIN_S", "Refusals"]

#: Seconds until a word that the broker refused is said again: somebody may have mended its ACL, and nobody tells us.
REFUSED_AGAIN_S: Final = 10.0
#: What the host itself keeps retained of a prop, and of itself: it is not said anew before it changes.
LASTING: Final = ("availability", "health", "panic")

_log: Final = structlog.stdlib.get_logger()


class Refusals:
    """Of one connection after another; every call is plain and quick."""

    def __init__(self) -> None:
        self._repeats = Repeats(trio.current_time)
        self._kept: dict[str, Post] = {}
        self._news = trio.Event()

    def complain(self, post: Post, about: str, text: str) -> None:
        """A worker that goes on saying what cannot leave fills no log with it."""
        if (line := self._repeats.line((post.prop_id, about), text)) is not None:
            _log.error(line, worker=post.prop_id)

    def refused(self, post: Post, error: MqttError) -> None:
        """The broker would not have it."""
        self.complain(post, "refused", f"the broker refused a message: {error}")
        parsed = topics.parse_topic(post.topic)
        if post.retain and parsed is not None and parsed.kind == "status" and parsed.key in LASTING:
            self._kept[post.topic] = attrs.evolve(post, out=None)  # who waits for the answer has it
            self._news.set()

    def answered(self, topic: str) -> None:
        """Something newer was answered: what was refused there before is history."""
        if self._kept:
            self._kept.pop(topic, None)

    def forget(self) -> None:
        """The connection is lost: on the next one all that lasts is said anyway."""
        self._kept.clear()

    async def wait(self) -> None:
        """Return when it is time to say again what `take` has then."""
        self._news = trio.Event()
        if not self._kept:
            await self._news.wait()
        await trio.sleep(REFUSED_AGAIN_S)

    def take(self) -> list[Post]:
        """The newest word of each topic that was refused; they are not kept any more."""
        kept, self._kept = self._kept, {}
        return list(kept.values())
