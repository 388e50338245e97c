"""Numbered messages of QoS 1 at full speed: with a broker that stays none is lost, doubled or reordered; with one that restarts none
that was acknowledged is lost, order per topic holds, and what the broker sends twice carries DUP.

Only who sends again within a session marks it (MQTT 3.1.1, section 3.3.1.1): the broker to its persistent subscriber. What we publish
anew on a new connection is a new message to MQTT, and the flag would not be passed on.
"""

from __future__ import annotations

import pytest
import trio

from halloween_host.mqtt import ProtocolVersion
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto
from tests.mqtt.backends import client_of
from tests.mqtt.night import Ear, Sender

TOPICS = [f"numbered/{name}" for name in ("coffin", "fogger", "organ", "raven", "well")]

both_paths = pytest.mark.parametrize("fast_path", [True, False])
both_versions = pytest.mark.parametrize("protocol", list(ProtocolVersion), ids=lambda version: version.name)


@both_paths
@both_versions
async def test_a_broker_that_stays(mosquitto: Mosquitto, protocol: ProtocolVersion, fast_path: bool) -> None:
    """20,000 messages on five topics (5,000 where paho is slow), from client over mosquitto to client: each topic's numbers come as
    they were sent."""
    count = 20_000 if fast_path else 5_000
    heard: dict[str, list[int]] = {topic: [] for topic in TOPICS}
    options = {"protocol": protocol, "fast_path": fast_path, "max_inflight_messages": 1_000}
    async with client_of(mosquitto, **options) as sender, client_of(mosquitto, **options) as receiver:
        await receiver.subscribe("numbered/+", qos=1)

        async def send() -> None:
            for number in range(count):
                receipt = sender.publish_nowait(TOPICS[number % len(TOPICS)], str(number), 1)
                await sender.room()
            await receipt.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.fail_after(50):
                for _ in range(count):
                    message = await anext(receiver.messages)
                    heard[message.topic].append(int(message.payload))
        assert not len(receiver.messages)
    assert heard == {topic: list(range(index, count, len(TOPICS))) for index, topic in enumerate(TOPICS)}


def check_repetitions(ear: Ear, sender: Sender) -> None:
    """Order holds on each topic; whatever came twice came with DUP, or was published anew because nobody had acknowledged it."""
    for topic in TOPICS:
        assert ear.heard(topic) == sorted(ear.heard(topic))
    seen: set[str] = set()
    for sound in ear.sounds:
        assert sound.dup or sound.payload not in seen, sound
        seen.add(sound.payload)
    assert len(seen) - len(ear.heard()) <= sum(sender.attempts.values())


@both_paths
@both_versions
async def test_a_broker_that_restarts(
    make_mosquitto: MakeMosquitto, protocol: ProtocolVersion, fast_path: bool
) -> None:
    """Stopped by SIGTERM, as an administrator does, three times in mid-flow: every publish that was acknowledged to us is heard."""
    broker = make_mosquitto(persistent=True)
    ear, sender = Ear(broker, "numbered/+"), Sender(broker, TOPICS)
    with trio.fail_after(50):
        async with trio.open_nursery() as listening:
            listening.start_soon(ear.run)
            await ear.subscribed.wait()
            async with trio.open_nursery() as sending:
                sending.start_soon(sender.run, protocol, fast_path)
                for _ in range(3):
                    await sender.progress(1_000)
                    broker.restart()
                await sender.progress(1_000)
                sender.stop()
            await ear.expect(sender.acknowledged)
            listening.cancel_scope.cancel()
    assert any(sound.dup for sound in ear.sounds), "nothing was sent again: the test shows nothing"
    check_repetitions(ear, sender)


@both_paths
async def test_a_broker_that_is_killed(make_mosquitto: MakeMosquitto, fast_path: bool) -> None:
    """SIGKILL takes what mosquitto did not write down; all that was acknowledged before it did is heard."""
    broker = make_mosquitto(persistent=True)
    ear, sender = Ear(broker, "numbered/+"), Sender(broker, TOPICS)
    safe: set[int] = set()
    with trio.fail_after(50):
        async with trio.open_nursery() as listening:
            listening.start_soon(ear.run)
            await ear.subscribed.wait()
            async with trio.open_nursery() as sending:
                sending.start_soon(sender.run, ProtocolVersion.V311, fast_path)
                for _ in range(3):
                    await sender.progress(1_000)
                    safe |= sender.taken_by_the_last()
                    broker.save()
                    broker.kill()
                    broker.start()
                await sender.progress(1_000)
                sender.stop()
            await ear.expect(safe | sender.taken_by_the_last())
            listening.cancel_scope.cancel()
    for topic in TOPICS:
        assert ear.heard(topic) == sorted(ear.heard(topic))
