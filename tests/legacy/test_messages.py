"""Raw messages, as 2025's workers saw them: by handlers of `self.mqtt` and by an overridden `on_message`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

import pytest

from halloween_host.errors import QosError, TopicError
from halloween_host.legacy import LegacyMessage, open_legacy_home
from halloween_host.worker import Arrival
from tests.yard import Yard, open_yard
from worker_host.base import BaseWorker


def hear(yard: Yard, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
    """Hand the worker a message of a subscription."""
    yard.supervisor.deliver(Arrival(topic, payload, 0, retain, None))


async def test_message_handlers_run_one_at_a_time_in_a_thread_of_their_own() -> None:
    """They hear the worker's own `cmd` and what it subscribed to, in order; its `do_*` handlers run all the same."""

    class Worker(BaseWorker):
        heard: ClassVar[list[tuple[str, bytes, int, bool]]] = []
        threads: ClassVar[set[int]] = set()

        async def start(self) -> None:
            await super().start()
            self.mqtt.subscribe("halloween/+/telemetry/#", 1)
            self.mqtt.subscribe("lights/#")
            for topic_filter, qos, error in (("a/#/b", 0, TopicError), ("a", 7, QosError)):
                with pytest.raises(error):
                    self.mqtt.subscribe(topic_filter, qos)
            self.mqtt.add_message_handler(self._hear)
            self.mqtt.add_message_handler(self._hear_async)

        def _hear(self, msg: Any) -> None:
            self.heard.append((msg.topic, msg.payload, msg.qos, msg.retain))
            self.threads.add(threading.get_ident())
            if msg.payload == b"boom":
                raise ValueError("in a message handler")

        async def _hear_async(self, msg: Any) -> None:
            if msg.topic == "lights/1":
                self.status("async", msg.payload.decode())

        async def do_ping(self, arg: str | None) -> None:
            self.telemetry("pong", arg or "ok")

    async with open_yard(Worker, open_legacy_home) as yard:
        await yard.expect("status/availability online")
        assert yard.subscriptions == [("halloween/+/telemetry/#", 1), ("lights/#", 0)]
        for number in range(50):
            hear(yard, "halloween/fogger/telemetry/n", str(number).encode())
        hear(yard, "lights/1", b"on", retain=True)
        yard.send("ping")
        await yard.expect("telemetry/pong ok")
        await yard.expect("status/async on")
        yard.send("boom")  # no such action, but a message handler took it raw
        await yard.expect("status/error _hear: ValueError: in a message handler")
        assert [payload for _, payload, _, _ in Worker.heard[:50]] == [str(number).encode() for number in range(50)]
        assert Worker.heard[50:] == [
            ("lights/1", b"on", 0, True),
            ("halloween/coffin/cmd", b"ping", 1, False),
            ("halloween/coffin/cmd", b"boom", 1, False),
        ]
        assert len(Worker.threads) == 1
        assert Worker.threads != {threading.get_ident()}
        assert sum("status/error" in line for line in yard.heard) == 1
    assert not yard.supervisor.left_behind


@pytest.mark.parametrize("plain", [False, True])
async def test_on_message_overridden_sees_commands_raw(plain: bool) -> None:
    """It may handle a message itself or hand it on by `super().on_message(msg)`, from a plain method or an async one."""

    class Base(BaseWorker):
        async def do_ping(self, arg: str | None) -> None:
            await asyncio.sleep(0.01)
            self.telemetry("pong", arg or "ok")

        def do_sync(self, arg: str | None) -> None:
            self.telemetry("sync", arg or "ok")

    class Async(Base):
        async def on_message(self, msg: LegacyMessage) -> None:
            self.status("raw", f"{msg.topic} {msg.payload!r} {msg.qos} {msg.retain}")
            await super().on_message(msg)
            self.status("after", repr(msg.payload))

    class Plain(Base):
        def on_message(self, msg: LegacyMessage) -> Any:
            self.status("raw", f"{msg.topic} {msg.payload!r} {msg.qos} {msg.retain}")
            super().on_message(msg)
            return None

    async with open_yard(Plain if plain else Async, open_legacy_home) as yard:
        yard.send("ping hello")
        await yard.expect("status/raw halloween/coffin/cmd b'ping hello' 1 False")
        index = await yard.expect("telemetry/pong hello")
        if not plain:
            await yard.expect("status/after b'ping hello'", since=index)
        yard.send("sync")
        await yard.expect("telemetry/sync ok")
        yard.send(b"\xff")
        await yard.expect("status/error payload is not UTF-8…")
        yard.send("nonsense")
        await yard.expect("status/error nonsense: no such action; this worker has: ping, sync")
        hear(yard, "lights/1")
        await yard.expect("status/raw lights/1 b'x' 0 False")
        assert sum("status/error" in line for line in yard.heard) == 2
