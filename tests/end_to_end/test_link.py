"""What a subscriber reads of a prop is true whatever happens to the connections: cut, torn out, refused, or forgotten by the broker."""

from __future__ import annotations

import json
import signal

import trio

from halloween_host import topics
from tests.end_to_end.haunt import Haunt, Words, heard_of, holding, telling, words_of
from tests.end_to_end.process import HostProcess
from tests.listener import Listener
from tests.mosquitto import Mosquitto
from tests.testing.cable import Cable

NATIVE = """\
from pathlib import Path

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.count = 0
        self.spawn(self._wait)

    async def _wait(self):
        while not Path("storm").exists():
            await anyio.sleep(0.02)
        self.command("fogger", "fire", "stale")
        print("the storm is over")

    async def do_fire(self, arg):
        self.telemetry("fire", arg)

    async def do_count(self, arg):
        self.count += 1
        self.telemetry("counted", f"{arg} {self.count}")
        return arg
"""
LEGACY = (
    NATIVE.replace("import anyio", "import asyncio")
    .replace("anyio.sleep", "asyncio.sleep")
    .replace("from halloween_host import", "from worker_host.base import")
    .replace("self.spawn(self._wait)", "self.spawn(self._wait())")
)
BOTH = ("coffin", "fogger")
HOST_ID = "haunt"


def furnish(haunt: Haunt) -> None:
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)


def host_by(cable: Cable, haunt: Haunt, **environ: str) -> HostProcess:
    """A host whose connections all go by this cable."""
    told = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(cable.port), "MQTT_CLIENT_ID": HOST_ID}
    return haunt.host(None, **told, **environ)


async def test_a_cable_that_is_pulled(haunt: Haunt, broker: Mosquitto, nursery: trio.Nursery) -> None:
    """The broker speaks every will; the host is back as soon as the cable is, and nothing of the time between fires:
    neither what was sent to its props nor what they sent."""
    furnish(haunt)
    cable = await Cable.lay(nursery, broker.host, broker.port)
    async with broker.listen("halloween/#") as listener, host_by(cable, haunt, MQTT_KEEPALIVE="2") as host:
        words = Words(listener)
        await words.hear("online", *BOTH, "worker_host")
        cable.cut()
        await broker.publish("halloween/coffin/cmd", "fire late")
        await words.hear("offline", *BOTH, "worker_host")
        await broker.publish("halloween/coffin/cmd", "fire later")
        await host.expect_log("lost the broker")
        (haunt.folder / "storm").touch()
        await host.expect_log("the storm is over")
        await host.expect_log("command to halloween/fogger/cmd dropped")
        cable.mend()
        await words.hear("online", *BOTH, "worker_host")
        for prop in BOTH:
            await broker.publish(f"halloween/{prop}/cmd", "fire now")
            await listener.expect(f"halloween/{prop}/telemetry/fire now")
            assert [line for line in heard_of(listener, prop) if "fire" in line and "cmd" not in line] == [
                "telemetry/fire now"
            ]
            assert words_of(listener, prop)[-1] == "online"


async def test_a_broker_that_forgot_everything(haunt: Haunt, broker: Mosquitto) -> None:
    """Births, health and the word on panics are retained again, and a numbered command that comes on both sides runs once."""
    furnish(haunt)

    async def count(number: int, *props: str) -> None:
        for prop in props:
            command = {"action": "count", "args": number, "id": number}
            await broker.publish(f"halloween/{prop}/cmd", json.dumps(command))

    async def done(listener: Listener, prop: str, number: int) -> None:
        await listener.expect(telling(f"halloween/{prop}/ack", id=number, outcome="done"))

    async with haunt.host(broker) as host:
        async with broker.listen("halloween/#") as listener:
            words = Words(listener)
            await words.hear("online", *BOTH, "worker_host")
            for prop in BOTH:
                for number in range(5):
                    await count(number, prop)
                    await done(listener, prop, number)
        broker.kill()
        await host.expect_log("lost the broker")
        host.pause()  # so that the listener stands before the host is back
        broker.start()
        async with broker.listen("halloween/#") as listener:
            words = Words(listener)
            host.resume()
            await words.hear("online", *BOTH, "worker_host")
            for prop in BOTH:
                await listener.expect(telling(f"halloween/{prop}/status/health", state="online", presence=True))
            for prop in BOTH:
                for number in (3, 4, 5, 5, 6):
                    await count(number, prop)
                    await done(listener, prop, number)
                counted = [line for line in heard_of(listener, prop) if line.startswith("telemetry/counted")]
                assert counted == ["telemetry/counted 5 6", "telemetry/counted 6 7"]
        async with broker.listen("halloween/+/status/#") as late:
            for prop in (*BOTH, "worker_host"):
                assert (await late.expect(f"halloween/{prop}/status/availability online")).retain
            for prop in BOTH:
                assert (await late.expect(telling(f"halloween/{prop}/status/health", state="online"))).retain
            assert (await late.expect(telling(topics.HOST_PANIC, active=False))).retain


async def die_with_will(broker: Mosquitto, topic: str) -> None:
    """Somebody's connection ends without a DISCONNECT, and its will is `offline`, retained, on this topic (MQTT 3.1.1, section 3.1)."""
    clean_start, will, qos_1, retain = 0x02, 0x04, 0x08, 0x20
    body = b"\x00\x04MQTT\x04" + bytes([clean_start | will | qos_1 | retain, 0, 60])
    for text in ("stranger", topic, "offline"):
        body += len(text).to_bytes(2, "big") + text.encode()
    async with await trio.open_tcp_stream(broker.host, broker.port) as stream:
        await stream.send_all(bytes([0x10, len(body)]) + body)
        assert await stream.receive_some() == b"\x20\x02\x00\x00"


async def test_late_wills_are_corrected(haunt: Haunt, broker: Mosquitto) -> None:
    """`online` stands again after each, three times; then the host says that somebody else publishes there, and gives up."""
    furnish(haunt)
    topic = topics.availability("coffin")
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        words = Words(listener)
        await words.hear("online", *BOTH)
        for _ in range(3):
            await die_with_will(broker, topic)
            await listener.expect_in_order(f"{topic} offline", f"{topic} online")
        await die_with_will(broker, topic)
        await listener.expect(holding("halloween/coffin/status/error ", "somebody else publishes for coffin"))
        assert words_of(listener, "coffin")[-1] == "offline"
        assert words_of(listener, "fogger")[-1] == "online"


async def test_a_prop_that_cannot_be_commanded_is_offline(
    haunt: Haunt, broker: Mosquitto, nursery: trio.Nursery
) -> None:
    """The host's own connection is away for over 2 s while those of its props live: `offline`, reason `link`, until it is back."""
    furnish(haunt)
    cable = await Cable.lay(nursery, broker.host, broker.port)
    async with broker.listen("halloween/#") as listener, host_by(cable, haunt) as host:
        words = Words(listener)
        await words.hear("online", *BOTH, "worker_host")
        cable.cut(HOST_ID)
        cable.reset(HOST_ID)
        await host.expect_log("lost the broker")
        await words.hear("offline", "worker_host", *BOTH)
        cable.mend()
        await words.hear("online", *BOTH, "worker_host")
        for prop in BOTH:
            assert host.matching(prop, "offline: link")
            assert f"Client {HOST_ID}-{prop} closed" not in broker.log()  # it was said, and no will
            await broker.publish(f"halloween/{prop}/cmd", "fire now")
            await listener.expect(f"halloween/{prop}/telemetry/fire now")


async def test_a_prop_whose_own_connection_is_refused(haunt: Haunt, broker: Mosquitto, nursery: trio.Nursery) -> None:
    """The host says its availability, `health` and one line tell so; as soon as it is let in, a will stands behind it."""
    furnish(haunt)
    cable = await Cable.lay(nursery, broker.host, broker.port)
    cable.refuse(f"{HOST_ID}-coffin")
    async with broker.listen("halloween/#") as listener, host_by(cable, haunt) as host:
        words = Words(listener)
        await words.hear("online", *BOTH)
        await listener.expect(telling("halloween/coffin/status/health", state="online", presence=False))
        await listener.expect(telling("halloween/fogger/status/health", state="online", presence=True))
        await broker.publish("halloween/coffin/cmd", "fire now")
        await listener.expect("halloween/coffin/telemetry/fire now")
        assert len(host.matching("has no connection of its own")) == 1
        cable.mend()
        await listener.expect(telling("halloween/coffin/status/health", state="online", presence=True), within_s=30)
        await words.hear("online", "coffin")  # again: on its own connection
        cable.reset()
        await words.hear("offline", *BOTH, "worker_host")


async def test_a_host_without_presences(haunt: Haunt, broker: Mosquitto) -> None:
    """PRESENCE_MAX=0: `online` is the host's word, which a kill leaves behind, and counts only while the host's own does."""
    furnish(haunt)
    async with broker.listen("halloween/#") as listener:
        words = Words(listener)
        async with haunt.host(broker, PRESENCE_MAX="0") as host:
            await words.hear("online", *BOTH, "worker_host")
            for prop in BOTH:
                await listener.expect(telling(f"halloween/{prop}/status/health", state="online", presence=False))
            assert len(host.matching("PRESENCE_MAX=0")) == 1
            assert "online" in await haunt.order(broker, "list", "--live")
            host.signal(signal.SIGKILL)
            await host.wait(-signal.SIGKILL)
        await words.hear("offline", "worker_host")
        assert [words_of(listener, prop)[-1] for prop in BOTH] == ["online", "online"]
        for line in (await haunt.order(broker, "list", "--live")).splitlines():
            assert "offline" in line
