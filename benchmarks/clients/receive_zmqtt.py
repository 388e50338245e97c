"""Receive through zmqtt's `async for message in subscription`."""

from __future__ import annotations

import asyncio

from zmqtt import QoS, create_client

from benchmarks.clients._meter import FILTER, Assignment, Meter


async def receive(todo: Assignment) -> None:
    meter, seen = Meter(todo.count), 0
    client = create_client("127.0.0.1", todo.port, tls=todo.tls or False, version="5.0" if todo.v5 else "3.1.1")
    async with client, client.subscribe(FILTER, qos=QoS(todo.qos)) as messages:
        meter.ready()
        async for message in messages:
            if not seen:
                meter.start()
            seen += 1
            if seen == todo.count:
                meter.stop(message.payload)
                break


if __name__ == "__main__":
    asyncio.run(receive(Assignment.given()))
