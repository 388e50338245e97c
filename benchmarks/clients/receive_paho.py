"""Receive by paho's own thread (`loop_start`) and its `on_message`."""

from __future__ import annotations

import threading

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.clients._meter import FILTER, Assignment, Meter


def receive(todo: Assignment) -> None:
    meter, seen, done = Meter(todo.count), 0, threading.Event()

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        nonlocal seen
        if not seen:
            meter.start()
        seen += 1
        if seen == todo.count:
            meter.stop(bytes(message.payload))
            done.set()

    protocol = MQTTProtocolVersion.MQTTv5 if todo.v5 else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    if todo.tls:
        client.tls_set_context(todo.tls)

    def on_connect(*_: object) -> None:
        client.subscribe(FILTER, qos=todo.qos)

    client.on_message = on_message
    client.on_connect = on_connect
    client.on_subscribe = lambda *_: meter.ready()
    client.connect("127.0.0.1", todo.port)
    client.loop_start()
    done.wait()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    receive(Assignment.given())
