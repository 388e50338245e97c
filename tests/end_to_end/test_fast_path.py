"""A whole evening goes the same with the fast path and without it, whatever the rest of the suite is run with."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.haunt import Haunt, Words, beginning, heard_of, holding, telling, words_of
from tests.end_to_end.test_commands import publish_lines
from tests.mosquitto import Mosquitto

#: `path` looks at the connections of this process: those that split PUBLISH packets off paho's parser, and those that do not.
NATIVE = """\
import gc

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_path(self, arg):
        connections = [each for each in gc.get_objects() if type(each).__name__ == "Connection"]
        self.telemetry("path", sorted({int(each._splitter is not None) for each in connections}))

    async def do_ping(self, arg):
        self.telemetry("pong", arg)
        return arg

    async def do_say(self, size: int):
        for qos in (0, 1, 2):
            self.telemetry(f"size/{qos}", "x" * size, qos, qos == 1)

    async def do_pass(self, arg):
        self.command("fogger", "ping", arg)
"""
LEGACY = (
    NATIVE.replace("from halloween_host import", "from worker_host.base import")
    .replace("size: int", "size")
    .replace('"x" * size', '"x" * int(size)')
)
BOTH = ("coffin", "fogger")


@pytest.mark.parametrize("fast", ["1", "0"], ids=["fast", "paho"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_an_evening(haunt: Haunt, broker: Mosquitto, fast: str, protocol: str) -> None:
    """Commands of either form, acks, refusals, a flood in order, telemetry of every QoS, a broker that restarts, and the end."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)
    retained = "halloween/coffin/cmd"
    await broker.publish(retained, "ping retained", retain=True)
    environ = {"MQTT_FAST_PATH": fast, "MQTT_PROTOCOL": protocol}
    async with haunt.host(broker, **environ) as host:
        async with broker.listen("halloween/#") as listener:
            words = Words(listener)
            await words.hear("online", *BOTH, "worker_host")
            await listener.expect(holding("halloween/coffin/status/error ", "retained"))
            await broker.publish(retained, b"", retain=True)
            for prop in BOTH:
                await broker.publish(f"halloween/{prop}/cmd", "path")
                split = json.loads((await listener.expect(beginning(f"halloween/{prop}/telemetry/path "))).payload)
                assert split == [int(fast)]
                await broker.publish(f"halloween/{prop}/cmd", json.dumps({"action": "ping", "args": "a", "id": "1"}))
                await listener.expect(telling(f"halloween/{prop}/ack", id="1", outcome="done"))
                await broker.publish(f"halloween/{prop}/cmd", json.dumps({"action": "fly", "id": "2"}))
                await listener.expect(telling(f"halloween/{prop}/ack", id="2", outcome="refused"))
                for size in (0, 100, 200_000):
                    await broker.publish(f"halloween/{prop}/cmd", f"say {size}")
                    for qos in (0, 1, 2):
                        await listener.expect(f"halloween/{prop}/telemetry/size/{qos} {'x' * size}")
                await publish_lines(broker, f"halloween/{prop}/cmd", [f"ping {number}" for number in range(500)])
                await listener.expect(f"halloween/{prop}/telemetry/pong 499")
                pongs = [line for line in heard_of(listener, prop) if line.startswith("telemetry/pong")]
                assert pongs == ["telemetry/pong a", *(f"telemetry/pong {number}" for number in range(500))]
            await broker.publish("halloween/coffin/cmd", "pass on")
            await listener.expect("halloween/fogger/telemetry/pong on")
        broker.restart()
        async with broker.listen("halloween/#") as listener:
            words = Words(listener)
            await words.hear("online", *BOTH, "worker_host")
            await broker.publish("halloween/coffin/cmd", "pass again")
            await listener.expect("halloween/fogger/telemetry/pong again")
            await host.stop()
            await words.hear("offline", *BOTH, "worker_host")
            assert all(words_of(listener, prop)[-1] == "offline" for prop in BOTH)
        assert not host.matching("Traceback")
