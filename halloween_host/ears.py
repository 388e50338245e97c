"""A worker that subscribes to topics gets a connection of its own, so that no filter of its can double a command.

A broker may send a message once for each overlapping subscription of a connection (MQTT 5, section 3.3.4): a worker's
``halloween/#`` on the host's connection would make every command of every prop arrive twice.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from halloween_host import topics
from halloween_host.flag import PASSED, Flag
from halloween_host.mqtt import AnyClient, Message, MqttCodeError

__all__ = ["Ear", "Ears"]

#: Runs on one connection; returns when it is over.
Session = Callable[[AnyClient], Awaitable[None]]

_log: Final = structlog.stdlib.get_logger()


class Ears:
    """All workers' ears, each opened at its worker's first subscription: most never subscribe, and cost no task.

    `hear` is told who heard what; `connect` returns what keeps a worker's session connected.
    """

    def __init__(
        self, hear: Callable[[str, Message], None], connect: Callable[[str, Session], Callable[[], Awaitable[None]]]
    ) -> None:
        self.hear = hear
        self.connect = connect
        self.token = trio.lowlevel.current_trio_token()
        self.lock = threading.Lock()
        self._nursery: trio.Nursery | None = None
        self._waiting: list[Ear] = []

    def open(self, ear: Ear) -> None:
        """Run it, as soon as there are connections at all."""
        if self._nursery is None:
            self._waiting.append(ear)
        else:
            self._nursery.start_soon(ear.run)

    async def run(self) -> None:
        """Run the ears until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                while self._waiting:
                    nursery.start_soon(self._waiting.pop().run)
                await trio.sleep_forever()
            finally:
                self._nursery = None


class Ear:
    """The subscriptions of a worker's current instance; `subscribe` may be called from any thread, the rest is Trio's."""

    __slots__ = ("_changed", "_ears", "_filters", "_prop_id", "_reset")

    def __init__(self, prop_id: str, ears: Ears) -> None:
        self._prop_id = prop_id
        self._ears = ears
        self._filters: dict[str, int] = {}
        self._changed: trio.Event | None = None
        self._reset = PASSED

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what matches from now on, and what is retained; over every reconnect until `reset`."""
        with self._ears.lock:
            self._filters[topic_filter] = qos
        try:
            self._ears.token.run_sync_soon(self._change)
        except trio.RunFinishedError:  # a thread that outlived the host: nobody is left to hear for
            return

    def reset(self) -> None:
        """A new instance hears only what it subscribes to itself, retained messages included: on a new connection."""
        with self._ears.lock:
            self._filters.clear()
        self._reset.set()

    def _change(self) -> None:
        if self._changed is None:
            self._changed = trio.Event()
            self._ears.open(self)
        else:
            self._changed.set()

    async def run(self) -> None:
        """Be connected while there is something to hear, until cancelled."""
        stay_connected = self._ears.connect(self._prop_id, self._session)
        while True:
            self._changed = trio.Event()
            if not self._filters:
                await self._changed.wait()
                continue
            self._reset = Flag()
            await stay_connected()

    async def _session(self, client: AnyClient) -> None:
        """A `Session`; returns after `reset`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._subscribe_all, client)
            nursery.start_soon(self._receive, client)
            await self._reset.wait()
            nursery.cancel_scope.cancel()

    async def _receive(self, client: AnyClient) -> None:
        own = topics.command(self._prop_id)
        while True:
            for message in await client.messages.batch():
                # the worker's own commands come by the host's subscription
                if str(message.topic) != own:
                    self._ears.hear(self._prop_id, message)

    async def _subscribe_all(self, client: AnyClient) -> None:
        done: dict[str, int] = {}
        while True:
            self._changed = trio.Event()
            with self._ears.lock:
                new = [(each, qos) for each, qos in self._filters.items() if done.get(each) != qos]
            for topic_filter, qos in new:
                done[topic_filter] = qos
                try:
                    await client.subscribe(topic_filter, qos)
                except MqttCodeError as error:
                    _log.error(f"subscription to {topic_filter!r} failed: {error}", worker=self._prop_id)
            if not new:
                await self._changed.wait()
