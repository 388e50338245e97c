"""A standing on the bench: its facts are given, what it says is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from trio.testing import wait_all_tasks_blocked

from halloween_host import topics
from halloween_host.outbox import Outbox
from halloween_host.presence import Word
from halloween_host.supervisor import Reviews, Standing
from halloween_host.supervisor._standing import Phase

HEALTH: Final = topics.health("coffin")
EPOCH: Final = 1_793_469_600.0

__all__ = ["EPOCH", "HEALTH", "Bench", "Spoken", "bench"]


class Spoken:
    """A `Voice` that keeps what it was told; `acknowledge` is the broker's PUBACK."""

    def __init__(self) -> None:
        self.word: Word | None = None
        self.out = False
        self.present = True
        self.words: list[Word] = []
        self.ups: list[bool] = []
        self.repeats = 0
        self._done: Callable[[], None] | None = None

    def say(self, word: Word, done: Callable[[], None] | None = None) -> None:
        self.word, self.out, self._done = word, False, done
        self.words.append(word)

    def repeat(self) -> None:
        self.repeats += 1

    def link_up(self, *, said_anew: bool = False) -> None:
        self.ups.append(said_anew)

    def acknowledge(self) -> None:
        self.out = True
        if self._done is not None:
            self._done()


class Bench:
    """A standing whose facts are given; it is its own mailbox."""

    def __init__(self) -> None:
        self.voice = Spoken()
        self.reviews = Reviews()
        self.load = 0.0
        self.refused_count = 0
        self.outbox = Outbox(wake=lambda: None, clock=trio.current_time, dropped=lambda prop_id, text: None)
        self.outbox.take(1)  # nothing folds while the broker is there
        self.standing = Standing(
            "coffin",
            "native",
            self.voice,
            self.outbox,
            self.reviews,
            wall=self.wall,
            mailbox=self,
        )
        self.healths: list[dict[str, Any]] = []

    def wall(self) -> float:
        return EPOCH + trio.current_time()

    def said(self) -> list[str]:
        """What `status/health` said since the last look, in short; every one is retained and acknowledged."""
        posts = [post for post in self.outbox.take(1000) if post.topic == HEALTH]
        assert all(post.retain and post.qos == 1 for post in posts)
        new = [json.loads(post.payload) for post in posts]
        self.healths += new
        return [each["state"] + (f": {each['reason']}" if each["reason"] else "") for each in new]

    def run(self) -> None:
        """Take it to online and forget how."""
        self.standing.enter(Phase.STARTING)
        self.standing.link_up()
        self.standing.enter(Phase.RUNNING)
        self.voice.acknowledge()
        self.said()
        self.voice.words.clear()


@asynccontextmanager
async def bench(*, running: bool = True) -> AsyncIterator[Bench]:
    async with trio.open_nursery() as nursery:
        made = Bench()
        nursery.start_soon(made.reviews.run)
        if running:
            made.run()
        yield made
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
