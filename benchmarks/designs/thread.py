"""The thread design, as such hosts are usually built: paho's thread hands messages to one dispatcher, which awaits each handler.

python -m benchmarks.designs.thread --port 1883 --workers 8
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.designs.props import ALL_COMMANDS, KEEPALIVE_S, handle, main, make_props

_log: Final = logging.getLogger(__name__)


class ThreadDesign:
    """Handlers run on the asyncio loop one after another, in the order in which their commands came."""

    def __init__(self, workers: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[MQTTMessage] = asyncio.Queue()
        self._subscribed = asyncio.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="thread-design")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._props = make_props(workers, self._client.publish)

    async def start(self, port: int) -> None:
        self._client.connect("127.0.0.1", port, KEEPALIVE_S)
        self._client.loop_start()
        await self._subscribed.wait()
        self._dispatcher = asyncio.create_task(self._dispatch())
        for prop in self._props.values():
            prop.say_available("online")
            _log.info("%s online", prop.prop_id)

    async def stop(self) -> None:
        self._dispatcher.cancel()
        for prop in self._props.values():
            prop.say_available("offline")
            _log.info("%s offline", prop.prop_id)
        last = self._client.publish("halloween/worker_host/status/availability", "offline", 1, True)
        await asyncio.to_thread(last.wait_for_publish, 10)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(ALL_COMMANDS, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, message)

    async def _dispatch(self) -> None:
        while True:
            message = await self._queue.get()
            await handle(self._props, message.topic, message.payload)


if __name__ == "__main__":
    main(ThreadDesign)
