"""gmqtt: publish at QoS 1 from 100 tasks, each waiting for the acknowledgement, which a storage of ours tells it."""

from __future__ import annotations

import asyncio

from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.storage import PersistentStorage

from benchmarks.clients._meter import PAYLOAD, TASKS, Assignment, Meter, topic_of


class Storage(PersistentStorage):
    """gmqtt's own way to learn what was acknowledged: its storage forgets the message."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.newest: asyncio.Future[None]

    def push_message(self, mid: int, raw_package: bytes) -> None:
        super().push_message(mid, raw_package)
        self.newest = self.waiting[mid] = asyncio.get_running_loop().create_future()

    def remove_message_by_mid(self, mid: int) -> None:
        super().remove_message_by_mid(mid)
        self.waiting.pop(mid).set_result(None)


async def publish(todo: Assignment) -> None:
    meter, storage = Meter(todo.count), Storage()
    client = Client("bench-gmqtt", persistent_storage=storage)
    await client.connect("127.0.0.1", todo.port, version=MQTTv50 if todo.v5 else MQTTv311)

    async def some(task: int) -> None:
        topic = topic_of(task)
        for number in range(task, todo.count, TASKS):
            client.publish(topic, PAYLOAD % number, qos=todo.qos)
            await storage.newest

    meter.start()
    async with asyncio.TaskGroup() as tasks:
        for task in range(TASKS):
            tasks.create_task(some(task))
    meter.stop()
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(publish(Assignment.given()))
