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
from halloween_host.mqtt import AnyClient, Message, MqttCodeError

__all__ = ["Ear"]

_log: Final = structlog.stdlib.get_logger()


class Ear:
    """The subscriptions of a worker's current instance; `subscribe` may be called from any thread, the rest is Trio's."""

    def __init__(self, prop_id: str, hear: Callable[[Message], None]) -> None:
        self._prop_id = prop_id
        self._own = topics.command(prop_id)
        self._hear = hear
        self._filters: dict[str, int] = {}
        self._lock = threading.Lock()
        self._changed = trio.Event()
        self._reset = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Hear what matches from now on, and what is retained; over every reconnect until `reset`."""
        with self._lock:
            self._filters[topic_filter] = qos
        try:
            self._token.run_sync_soon(lambda: self._changed.set())
        except trio.RunFinishedError:  # a thread that outlived the host: nobody is left to hear for
            return

    def reset(self) -> None:
        """A new instance hears only what it subscribes to itself, retained messages included: on a new connection."""
        with self._lock:
            self._filters.clear()
        self._reset.set()

    async def run(self, serve_forever: Callable[[], Awaitable[None]]) -> None:
        """Run `serve_forever` (a link with `serve` as its session) while there is something to hear, until cancelled."""
        while True:
            self._changed = trio.Event()
            if not self._filters:
                await self._changed.wait()
                continue
            self._reset = trio.Event()
            await serve_forever()

    async def serve(self, client: AnyClient) -> None:
        """A `Session`; returns after `reset`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._subscribe_all, client)
            nursery.start_soon(self._receive, client)
            await self._reset.wait()
            nursery.cancel_scope.cancel()

    async def _receive(self, client: AnyClient) -> None:
        while True:
            for message in await client.messages.batch():
                # the worker's own commands come by the host's subscription
                if str(message.topic) != self._own:
                    self._hear(message)

    async def _subscribe_all(self, client: AnyClient) -> None:
        done: dict[str, int] = {}
        while True:
            self._changed = trio.Event()
            with self._lock:
                new = [(each, qos) for each, qos in self._filters.items() if done.get(each) != qos]
            for topic_filter, qos in new:
                done[topic_filter] = qos
                try:
                    await client.subscribe(topic_filter, qos)
                except MqttCodeError as error:
                    _log.error(f"subscription to {topic_filter!r} failed: {error}", worker=self._prop_id)
            if not new:
                await self._changed.wait()
