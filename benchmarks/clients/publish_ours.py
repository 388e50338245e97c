"""`Client.publish` at QoS 1 from 100 tasks, each waiting for the acknowledgement before its next one."""

from __future__ import annotations

import sys

import anyio

from benchmarks.clients._meter import PAYLOAD, TASKS, Assignment, Meter, topic_of
from halloween_host.mqtt import Client, ProtocolVersion


async def publish(todo: Assignment) -> None:
    meter = Meter(todo.count)
    protocol = ProtocolVersion.V5 if todo.v5 else ProtocolVersion.V311
    async with Client("127.0.0.1", todo.port, protocol=protocol, max_inflight_messages=TASKS) as client:

        async def some(task: int) -> None:
            topic = topic_of(task)
            for number in range(task, todo.count, TASKS):
                await client.publish(topic, PAYLOAD % number, todo.qos)

        meter.start()
        async with anyio.create_task_group() as tasks:
            for task in range(TASKS):
                tasks.start_soon(some, task)
        meter.stop()


if __name__ == "__main__":
    anyio.run(publish, Assignment.given(), backend="asyncio" if "asyncio" in sys.argv else "trio")
