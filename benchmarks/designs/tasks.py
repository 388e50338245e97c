"""gmqtt reads and writes on the asyncio loop itself, and each command is a task of its own.

python -m benchmarks.designs.tasks --port 1883 --workers 8
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import gmqtt

from benchmarks.designs.props import ALL_COMMANDS, KEEPALIVE_S, handle, main, make_props

_log: Final = logging.getLogger(__name__)


class TaskDesign:
    """Handlers start in the order in which their commands came, and run side by side."""

    def __init__(self, workers: int) -> None:
        self._subscribed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps only a weak reference
        self._client = gmqtt.Client("task-design")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._props = make_props(workers, self._client.publish)

    async def start(self, port: int) -> None:
        await self._client.connect("127.0.0.1", port, keepalive=KEEPALIVE_S)
        await self._subscribed.wait()
        for prop in self._props.values():
            prop.say_available("online")
            _log.info("%s online", prop.prop_id)

    async def stop(self) -> None:
        for prop in self._props.values():
            prop.say_available("offline")
            _log.info("%s offline", prop.prop_id)
        await self._client.disconnect()

    def _on_connect(self, client: gmqtt.Client, *_: Any) -> None:
        client.subscribe(ALL_COMMANDS, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed.set()

    def _on_message(self, _client: gmqtt.Client, topic: str, payload: bytes, _qos: int, _properties: Any) -> int:
        task = asyncio.create_task(handle(self._props, topic, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return 0


if __name__ == "__main__":
    main(TaskDesign)
