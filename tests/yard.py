"""A worker under its real supervisor with a real outbox, and no broker: what it would publish is taken out and looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from halloween_host.commands import parse_command
from halloween_host.errors import CommandError
from halloween_host.native import open_native_home
from halloween_host.outbox import Outbox, Post
from halloween_host.reporter import Reporter
from halloween_host.supervisor import Limits, Supervisor
from halloween_host.worker import Arrival, Blueprint, CommonWorker, HomeFactory, read_actions

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
    """`heard` is all that was published so far, as ``topic payload`` below ``halloween/<prop>/``, in order."""

    def __init__(
        self, nursery: trio.Nursery, worker_class: type[CommonWorker], open_home: HomeFactory, **options: Any
    ) -> None:
        self.heard: list[str] = []
        self.dropped: list[str] = []
        self.posts: list[Post] = []
        self.subscribed = options.pop("subscribed", True)
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
        self.supervisor = Supervisor(
            Blueprint("coffin", worker_class, options.pop("config", {}), actions),
            open_home,
            outbox=self.outbox,
            reporter=Reporter(self.outbox),
            online_allowed=lambda: self.subscribed,
            subscriptions=self,
            limits=Limits(**options),
        )

    # -- Subscriptions

    def subscribe(self, topic_filter: str, qos: int) -> None:
        self.subscriptions.append((topic_filter, qos))

    def reset(self) -> None:
        self.subscriptions.clear()

    # -- the broker's part

    async def acknowledge(self) -> None:
        """Take what is posted and acknowledge it at once, for ever."""
        self.outbox.link_up()
        while True:
            posts = self.outbox.take(100)
            for post in posts:
                self.posts.append(post)
                self.heard.append(f"{post.topic.removeprefix('halloween/coffin/')} {post.payload.decode()}")
                if post.out is not None:
                    post.out()
            if posts:
                self._event.set()
                self._event = trio.Event()
                continue
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

    async def stop(self) -> None:
        self.supervisor.ask_to_stop()
        await self.supervisor.settled.wait()
        await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def open_yard(
    worker_class: type[CommonWorker], open_home: HomeFactory = open_native_home, **options: Any
) -> AsyncIterator[Yard]:
    """Run `worker_class` as the prop `coffin`; `options` are `Limits`, `config` and `subscribed`."""
    async with trio.open_nursery() as nursery:
        yard = Yard(nursery, worker_class, open_home, **options)
        nursery.start_soon(yard.acknowledge)
        nursery.start_soon(yard.supervisor.run)
        yield yard
        nursery.cancel_scope.cancel()
