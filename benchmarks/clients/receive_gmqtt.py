"""Receive by gmqtt's `on_message`, a plain function."""

from __future__ import annotations

import asyncio

from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from benchmarks.clients._meter import FILTER, Assignment, Meter


async def receive(todo: Assignment) -> None:
    meter, seen, done = Meter(todo.count), 0, asyncio.Event()

    def on_message(client: Client, topic: str, payload: bytes, qos: int, properties: object) -> int:
        nonlocal seen
        if not seen:
            meter.start()
        seen += 1
        if seen == todo.count:
            meter.stop(payload)
            done.set()
        return 0

    client = Client("bench-gmqtt")
    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe(FILTER, qos=todo.qos)
    client.on_subscribe = lambda *_: meter.ready()
    await client.connect("127.0.0.1", todo.port, ssl=todo.tls or False, version=MQTTv50 if todo.v5 else MQTTv311)
    await done.wait()
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(receive(Assignment.given()))
