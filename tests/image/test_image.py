"""The image does what the documents say of the host: the walk-through, an honest HEALTHCHECK, a good end by SIGTERM."""

from __future__ import annotations

import os
import signal

import pytest

from tests.image.container import Container
from tests.mosquitto import Mosquitto

pytestmark = pytest.mark.timeout(300)

HEARTBEAT = "halloween/heartbeat"
ONLINE = "halloween/worker_host/status/availability online"


def container_for(broker: Mosquitto) -> Container:
    environ = {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port)}
    return Container(os.environ["HALLOWEEN_IMAGE"], environ)


async def test_the_walk_through(broker: Mosquitto) -> None:
    """The container, not as root, answers the heartbeat walk-through; SIGTERM brings every `offline` and status 0."""
    async with broker.listen("halloween/#") as listener, container_for(broker) as container:
        await listener.expect_in_order(
            f"{HEARTBEAT}/status/availability online", f"{HEARTBEAT}/telemetry/tick 0", within_s=60
        )
        assert container.host_user_id != 0
        for command, answer in [("ping hello", "pong hello"), ("ping", "pong ok"), ("set_mode spooky", "mode spooky")]:
            await broker.publish(f"{HEARTBEAT}/cmd", command)
            await listener.expect(f"{HEARTBEAT}/telemetry/{answer}")
        await broker.publish(f"{HEARTBEAT}/cmd", "fire 750")
        await listener.expect_in_order(
            f"{HEARTBEAT}/telemetry/event fire start 750ms", f"{HEARTBEAT}/telemetry/event fire end"
        )
        container.signal(signal.SIGTERM)
        for prop in ["heartbeat", "example_prop", "fogger", "coffin_jumper", "worker_host"]:
            await listener.expect(f"halloween/{prop}/status/availability offline")
        assert await container.wait() == 0


async def test_health_follows_the_broker(broker: Mosquitto) -> None:
    """HEALTHCHECK passes while the host is on its broker, fails when the broker is down, and passes when it is back."""
    async with container_for(broker) as container:
        async with broker.listen("halloween/#") as listener:
            await listener.expect(ONLINE, within_s=60)
            assert await container.health() == 0
        broker.kill()
        assert await container.health() != 0
        broker.start()
        async with broker.listen("halloween/#") as listener:
            await listener.expect(ONLINE, within_s=60)
            assert await container.health() == 0


async def test_health_of_a_host_that_hangs(broker: Mosquitto) -> None:
    """A host that no longer moves is unhealthy, though the broker lives and may still hold its `online`."""
    async with broker.listen("halloween/#") as listener, container_for(broker) as container:
        await listener.expect(ONLINE, within_s=60)
        container.signal(signal.SIGSTOP)
        assert await container.health() != 0
