"""A worker under its real supervisor with a real outbox, and no broker: what it would publish is taken out and looked at."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from halloween_host.commands import parse_command
from halloween_host.doorbell import Doorbell
from halloween_host.errors import CommandError
from halloween_host.express import Express
from halloween_host.native import open_native_home
from halloween_host.outbox import Outbox, Post
from halloween_host.presence import HostVoice
from halloween_host.reporter import Reporter
from halloween_host.store import Store, Stores
from halloween_host.supervisor import Reviews, Standing, Supervisor, Surroundings
from halloween_host.terms import Terms
from halloween_host.worker import Arrival, Blueprint, CommonWorker, HomeFactory, Question, read_actions

__all__ = ["Yard", "arrival"]


def arrival(prop_id: str, payload: str | bytes) -> Arrival:
    """A message on a worker's `cmd` topic as the router hands it over."""
    body = payload.encode() if isinstance(payload, str) else payload
    try:
        command: Any = parse_command(body)
    except CommandError as error:
        command = error
    return Arrival(f"halloween/{prop_id}/cmd", body, 1, False, command)


class Yard:
    """`heard` is all that was published so far, as ``topic payload`` below ``halloween/<prop>/``, in order, but for the `offline`
    that each worker begins with; `healths` what `status/health` said."""

    def __init__(
        self, nursery: trio.Nursery, worker_class: type[CommonWorker], open_home: HomeFactory, **options: Any
    ) -> None:
        self.heard: list[str] = []
        self.healths: list[dict[str, Any]] = []
        self.dropped: list[str] = []
        self.posts: list[Post] = []
        subscribed = options.pop("subscribed", True)
        self.subscriptions: list[tuple[str, int]] = []
        self._event = trio.Event()
        self.outbox = Outbox(
            wake=self._wake,
            clock=trio.lowlevel.current_clock().current_time,
            dropped=lambda prop_id, text: self.dropped.append(text),
        )
        self._token = trio.lowlevel.current_trio_token()
        self._nursery = nursery
        actions = read_actions(worker_class, "coffin", Path(__file__))
        self.reviews = Reviews()
        #: What the worker asked for: panics as (prop, reason), questions.
        self.panics: list[tuple[str, str]] = []
        self.questions: list[Question] = []
        self.stores = Stores()
        self.express = Express(Doorbell())
        self.supervisor = Supervisor(
            Blueprint("coffin", worker_class, options.pop("config", {}), actions),
            open_home,
            lambda dispatcher: Standing(
                "coffin",
                worker_class.dialect,
                HostVoice("coffin", self.outbox),
                self.outbox,
                self.reviews,
                wall=self.wall,
                mailbox=dispatcher,
            ),
            Surroundings(self.outbox, Reporter(self.outbox), self.reviews, wall=self.wall, random=random.random),
            subscriptions=self,
            terms=Terms(**options),
            hooks=self,
        )
        if subscribed:
            self.supervisor.link_up()

    # -- Subscriptions

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self.subscriptions.append((topic_filter, qos))

    def reset(self) -> None:
        self.subscriptions.clear()

    # -- Hooks

    def wall(self) -> float:
        return 1_793_469_600.0 + trio.current_time()

    def store(self, prop_id: str) -> Store:
        return self.stores.of(prop_id)

    def request_panic(self, prop_id: str, reason: str) -> None:
        self.panics.append((prop_id, reason))

    def ask(self, question: Question) -> None:
        self.questions.append(question)

    def forget(self, question: Question) -> None:
        self.questions = [each for each in self.questions if each is not question]

    # -- the broker's part

    async def acknowledge(self) -> None:
        """Take what is posted and acknowledge it at once, for ever."""
        posts = self.outbox.link_up()
        while True:
            for post in posts:
                self.posts.append(post)
                heard = f"{post.topic.removeprefix('halloween/coffin/')} {post.payload.decode()}"
                if post.topic.endswith("/status/health"):
                    self.healths.append(json.loads(post.payload))
                elif self.heard or heard != "status/availability offline":  # what each worker says before it began
                    self.heard.append(heard)
                if post.out is not None:
                    post.out()
            if posts:
                self._event.set()
                self._event = trio.Event()
            while not (posts := self.outbox.take(100)):
                self._posted = trio.Event()
                await self._posted.wait()

    _posted = trio.Event()

    def _wake(self) -> None:
        self._token.run_sync_soon(lambda: self._posted.set())

    # -- the test's part

    def send(self, payload: str | bytes) -> None:
        self.supervisor.deliver(arrival("coffin", payload))

    async def expect(self, line: str, within_s: float = 20, since: int = 0) -> int:
        """Wait until `line` (or one that begins with it, when it ends with ``…``) was heard from index `since` on; its index."""
        with trio.fail_after(within_s):
            while True:
                for index, heard in enumerate(self.heard):
                    if index < since:
                        continue
                    if heard == line or (line.endswith("…") and heard.startswith(line[:-1])):
                        return index
                await self._event.wait()

    async def expect_that(self, true: Callable[[], bool], within_s: float = 20) -> None:
        """Wait until `true()` holds after something was published."""
        with trio.fail_after(within_s):
            while not true():
                await self._event.wait()

    async def stop(self) -> None:
        self.supervisor.ask_to_stop()
        await self.supervisor.settled.wait()
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def open_yard(
    worker_class: type[CommonWorker], open_home: HomeFactory = open_native_home, **options: Any
) -> AsyncIterator[Yard]:
    """Run `worker_class` as the prop `coffin`; `options` are those of `Terms`, `config` and `subscribed`."""
    async with trio.open_nursery() as nursery:
        yard = Yard(nursery, worker_class, open_home, **options)
        nursery.start_soon(yard.acknowledge)
        nursery.start_soon(yard.reviews.run)
        nursery.start_soon(yard.supervisor.run)
        yield yard
        nursery.cancel_scope.cancel()
