"""Receive through `async for message in client.messages`, under Trio or (last argument) asyncio."""

from __future__ import annotations

import sys

import anyio

from benchmarks.clients._meter import FILTER, Assignment, Meter
from halloween_host.mqtt import Client, ProtocolVersion


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
                meter.stop(message.payload)
                break


if __name__ == "__main__":
    anyio.run(receive, Assignment.given(), backend="asyncio" if "asyncio" in sys.argv else "trio")
