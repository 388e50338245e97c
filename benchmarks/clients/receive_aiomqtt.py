"""Receive through aiomqtt's `async for message in client.messages`."""

from __future__ import annotations

import asyncio

from aiomqtt import Client, ProtocolVersion

from benchmarks.clients._meter import FILTER, Assignment, Meter


async def receive(todo: Assignment) -> None:
    meter, seen = Meter(todo.count), 0
    protocol = ProtocolVersion.V5 if todo.v5 else ProtocolVersion.V311
    async with Client("127.0.0.1", todo.port, protocol=protocol, tls_context=todo.tls) as client:
        await client.subscribe(FILTER, qos=todo.qos)
        meter.ready()
        async for message in client.messages:
            if not seen:
                meter.start()
            seen += 1
            if seen == todo.count:
                assert isinstance(message.payload, bytes)
                meter.stop(message.payload)
                break


if __name__ == "__main__":
    asyncio.run(receive(Assignment.given()))
