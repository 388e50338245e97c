"""paho's thread: 100 publishes of QoS 1 under way, and in `on_publish` the next one for each that was acknowledged.

As fast as publishing all in a loop; a semaphore between two threads takes half as long again.
"""

from __future__ import annotations

import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.clients._meter import PAYLOAD, TASKS, Assignment, Meter, topic_of


def publish(todo: Assignment) -> None:
    meter, done = Meter(todo.count), threading.Event()
    topics = [topic_of(task) for task in range(TASKS)]
    sent = acknowledged = 0
    protocol = MQTTProtocolVersion.MQTTv5 if todo.v5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)

    def publish_next() -> None:
        nonlocal sent
        number, sent = sent, sent + 1
        client.publish(topics[number % TASKS], PAYLOAD % number, todo.qos)

    def on_publish(*details: object) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if sent < todo.count:
            publish_next()
        elif acknowledged == todo.count:
            done.set()

    def begin(*details: object) -> None:  # on paho's thread too, so that `sent` is its alone
        meter.start()
        for _ in range(TASKS):
            publish_next()

    client.max_inflight_messages_set(TASKS)
    client.on_connect = begin
    client.on_publish = on_publish
    client.connect("127.0.0.1", todo.port)
    client.loop_start()
    done.wait()
    meter.stop()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    publish(Assignment.given())
