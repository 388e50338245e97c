"""Receive by a FastStream subscriber that takes what FastStream made of the payload."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from faststream.mqtt import MQTTBroker, QoS

from benchmarks.clients._meter import FILTER, Assignment, Meter


async def receive(todo: Assignment) -> None:
    meter, seen, done = Meter(todo.count), 0, asyncio.Event()
    broker = MQTTBroker(f"mqtt://127.0.0.1:{todo.port}", version="5.0" if todo.v5 else "3.1.1", log_level=logging.DEBUG)

    @broker.subscriber(FILTER, qos=QoS(todo.qos))
    async def on_message(body: dict[str, Any]) -> None:
        nonlocal seen
        if not seen:
            meter.start()
        seen += 1
        if seen == todo.count:
            meter.stop(json.dumps(body).encode())
            done.set()

    async with broker:
        await broker.start()
        meter.ready()
        await done.wait()


if __name__ == "__main__":
    asyncio.run(receive(Assignment.given()))
