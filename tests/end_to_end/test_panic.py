"""STOP reaches every prop of a real host: by whatever way it comes, whatever a worker does to the event loop, broker or not."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from halloween_host import topics
from tests.end_to_end.haunt import Haunt, Words, beginning, holding, telling, words_of
from tests.end_to_end.process import HostProcess
from tests.end_to_end.test_commands import publish_lines
from tests.listener import Line, Listener
from tests.mosquitto import Mosquitto

#: The valve is no worker of ours: its firmware listens on its `cmd` topic.
NATIVE = """\
import time

import anyio

from halloween_host import BaseWorker


class Worker(BaseWorker):
    toiled = 0

    async def do_ping(self, arg):
        self.telemetry("pong", arg)

    async def do_hold(self, arg):
        self.telemetry("hold", "begins")
        try:
            await anyio.sleep(3600)
        finally:
            print("let go of", self.prop_id)

    async def do_cry(self, arg):
        self.panic(arg)
        await anyio.sleep(3600)

    async def do_sleep(self, arg):
        print("sleeps in", self.prop_id)
        time.sleep(60)

    async def do_spin(self, arg):
        print("spins in", self.prop_id)
        while True:
            pass

    async def do_toil(self, arg):
        self.toiled += 1
        if self.toiled == 1:
            self.telemetry("toil", "begins")
        time.sleep(0.005)

    async def safe(self):
        self.command("valve", "close", self.prop_id)
        self.telemetry("toiled", self.toiled)
"""
LEGACY = (
    NATIVE.replace("import anyio", "import asyncio")
    .replace("anyio.sleep", "asyncio.sleep")
    .replace("from halloween_host import", "from worker_host.base import")
)
BOTH = ("coffin", "fogger")


def closes_valve(prop: str) -> str:
    return f'halloween/valve/cmd {{"action": "close", "args": "{prop}"}}'


async def stopped(listener: Listener, **facts: object) -> dict[str, Any]:
    """The report, once every `safe()` is through."""
    fits = telling(topics.HOST_PANIC, active=True, **facts)

    def is_report(line: Line) -> bool:
        return fits(line) and json.loads(line.payload)["took_ms"] is not None

    report: dict[str, Any] = json.loads((await listener.expect(is_report, within_s=20)).payload)
    return report


async def acked(listener: Listener, command: str, outcome: str, **facts: object) -> dict[str, Any]:
    fits = telling(topics.HOST_ACK, command=command, outcome=outcome, **facts)
    ack: dict[str, Any] = json.loads((await listener.expect(fits, within_s=20)).payload)
    return ack


async def rearm(broker: Mosquitto, listener: Listener) -> None:
    await broker.publish(topics.HOST_COMMAND, "rearm")
    await acked(listener, "rearm", "done")
    await listener.expect(telling(topics.HOST_PANIC, active=False))


async def test_every_way_to_panic(haunt: Haunt, broker: Mosquitto) -> None:
    """By MQTT, by the command line, by SIGUSR1 and out of each dialect: handlers are cancelled, every safe() commands its valve,
    all are offline for that reason and take nothing, and a rearm starts them anew."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)

    async def pull(way: str, host: HostProcess) -> None:
        match way:
            case "mqtt":
                await broker.publish(topics.HOST_COMMAND, "panic kid on the coffin")
            case "cli":
                assert "coffin" in await haunt.order(broker, "panic", "kid", "on", "the", "coffin")
            case "signal":
                host.signal(signal.SIGUSR1)
            case prop:
                await broker.publish(f"halloween/{prop}/cmd", "cry kid on the coffin")

    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        words = Words(listener)
        # in its first moments the host hears a panic by either of two connections, and counts anew for the second
        for way in ("signal", "mqtt", "cli", *BOTH):
            await words.hear("online", *BOTH)
            for prop in BOTH:
                await broker.publish(f"halloween/{prop}/cmd", "hold")
                await listener.expect(f"halloween/{prop}/telemetry/hold begins")
            before = len(host.lines)
            await pull(way, host)
            report = await stopped(listener, by=way)
            assert report["reason"] == ("SIGUSR1" if way == "signal" else "kid on the coffin")
            assert sorted(report["safe"]) == sorted(BOTH)
            assert (report["no_safe"], report["unsafe"], report["durable"]) == ([], {}, True)
            await words.hear("offline", *BOTH)
            for prop in BOTH:
                await host.expect_log("let go of", prop, after=before)
                await listener.expect(closes_valve(prop))
                why = f"panic: {report['reason']}"
                await listener.expect(telling(f"halloween/{prop}/status/health", state="offline", reason=why))
                await broker.publish(f"halloween/{prop}/cmd", "ping late")
                await listener.expect(holding(f"halloween/{prop}/status/error ", "panic"))
            await listener.expect(telling(topics.HOST_PANIC, active=True, refused=2))
            await rearm(broker, listener)
        await words.hear("online", *BOTH)
        assert not [line for line in listener.lines if line.endswith("pong late")]


@pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])
async def test_a_worker_that_blocks_the_loop(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """The host ends with 70, latched, every prop `offline` by its will; the next one starts nothing, runs every safe(), and is rearmed."""
    haunt.prop("coffin", source)
    haunt.prop("fogger", LEGACY if source is NATIVE else NATIVE)
    latch = haunt.folder / "state" / "panic.json"

    def blocks(line: Line) -> bool:
        if not telling(topics.HOST_PANIC, active=True, took_ms=None, durable=True)(line):
            return False
        unsafe: str = json.loads(line.payload)["unsafe"].get("coffin", "")
        return unsafe.startswith("blocks the host, props/coffin/backend/worker.py:")

    async with broker.listen("halloween/#") as listener:
        words = Words(listener)
        async with haunt.host(broker) as host:
            await words.hear("online", *BOTH, "worker_host")
            await broker.publish("halloween/coffin/cmd", "sleep")
            await host.expect_log("sleeps in coffin")
            await broker.publish(topics.HOST_COMMAND, "panic kid on the coffin")
            await listener.expect(blocks, within_s=20)
            await host.wait(70)
        assert json.loads(latch.read_text())["reason"] == "kid on the coffin"
        await words.hear("offline", *BOTH, "worker_host")
        async with haunt.host(broker) as host:
            report = await stopped(listener, by="mqtt", reason="kid on the coffin")
            assert sorted(report["safe"]) == sorted(BOTH)
            for prop in BOTH:
                await listener.expect(closes_valve(prop))
                assert words_of(listener, prop)[-1] == "offline"
                assert words_of(listener, prop).count("online") == 1
            await rearm(broker, listener)
            await words.hear("online", *BOTH)
            assert not latch.exists()
            await broker.publish("halloween/coffin/cmd", "spin")
            await host.expect_log("spins in coffin")
            host.signal(signal.SIGUSR1)
            await host.wait(70)
        assert json.loads(latch.read_text())["by"] == "signal"
        await words.hear("offline", *BOTH)


async def test_a_panic_while_the_broker_is_away(haunt: Haunt, broker: Mosquitto) -> None:
    """It needs none: the command line takes SIGUSR1. What safe() commands is the first that a new broker gets of the host, and a
    restart is latched still."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)
    presences = tuple(f"halloween/{prop}/status/availability " for prop in BOTH)  # connections of their own
    async with haunt.host(broker) as host:
        for prop in BOTH:
            await host.expect_log("online", prop)
        broker.kill()
        await host.expect_log("lost the broker")
        assert f"pid {host.pid}" in await haunt.order(broker, "panic", status=4)  # nobody can tell it who is safe
        await host.expect_log("panic: 2 safe in")
        host.pause()  # so that the listener stands before the host is back
        broker.start()
        async with broker.listen("halloween/#") as listener:
            words = Words(listener)
            host.resume()
            await words.hear("offline", *BOTH)
            await stopped(listener, by="signal")
            first = [line for line in listener.lines if not line.startswith(presences)][:2]
            assert sorted(first) == sorted(map(closes_valve, BOTH))
        await host.stop()
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        words = Words(listener)
        await stopped(listener, by="signal", reason="SIGUSR1")
        for prop in BOTH:
            await listener.expect(closes_valve(prop))
            await listener.expect(telling(f"halloween/{prop}/status/health", state="offline", reason="panic: SIGUSR1"))
        assert "panic" in await haunt.order(broker, "restart", "coffin", status=3)
        await haunt.order(broker, "rearm")
        await words.hear("online", *BOTH)
        for prop in BOTH:
            assert words_of(listener, prop)[-1] == "online"


async def test_host_commands(haunt: Haunt, broker: Mosquitto) -> None:
    """As a person types them and as an operator's shell gives them; each is answered, and steers that worker alone."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("fogger", LEGACY)
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        words = Words(listener)
        await words.hear("online", *BOTH)
        await broker.publish(topics.HOST_COMMAND, "ping")
        await acked(listener, "ping", "done", id=None, result="pong")
        await broker.publish(topics.HOST_COMMAND, "status")
        workers = (await acked(listener, "status", "done"))["result"]["workers"]
        assert {prop: workers[prop]["availability"] for prop in workers} == dict.fromkeys(BOTH, "online")
        for text in ("restart coffin", "stop coffin", "start coffin"):
            await broker.publish(topics.HOST_COMMAND, text)
            verb = text.split()[0]
            await acked(listener, verb, "accepted")
            await acked(listener, verb, "done")
            if verb != "start":
                await words.hear("offline", "coffin")
            if verb != "stop":
                await words.hear("online", "coffin")
        await broker.publish(topics.HOST_COMMAND, "restart coffins")
        assert "coffin" in (await acked(listener, "restart", "refused"))["error"]
        await broker.publish(topics.HOST_COMMAND, "explode")
        await acked(listener, "explode", "refused")
        assert "answered" in await haunt.order(broker, "ping")
        lines = (await haunt.order(broker, "status")).splitlines()
        assert [line.split("\t")[:2] for line in lines] == [[prop, "online"] for prop in BOTH]
        said = words_of(listener, "coffin")
        await haunt.order(broker, "stop", "fogger")
        await words.hear("offline", "fogger")
        await haunt.order(broker, "start", "fogger")
        await words.hear("online", "fogger")
        await haunt.order(broker, "restart", "nobody", status=3)
        assert words_of(listener, "coffin") == said


async def test_a_panic_from_a_phone_with_a_wrong_clock(haunt: Haunt, broker: Mosquitto) -> None:
    """A panic, a rearm and a stop are done at any age and with any id, as often as they come; a restart is not."""
    haunt.prop("coffin", NATIVE)

    async def send(action: str, ts: float, args: str | None = None) -> None:
        payload = {"action": action, "args": args, "id": "phone", "ts": ts, "ttl": 1}
        await broker.publish(topics.HOST_COMMAND, json.dumps(payload))

    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        words = Words(listener)
        for ts in (0.0, time.time() + 86_400):
            await words.hear("online", "coffin")
            await send("panic", ts, "kid")
            await stopped(listener, reason="kid")
            await acked(listener, "panic", "done", id="phone")
            await send("rearm", ts)
            await acked(listener, "rearm", "done", id="phone")
        await words.hear("online", "coffin")
        await send("restart", 0.0, "coffin")
        await acked(listener, "restart", "refused", id="phone")
        await send("restart", time.time() + 86_400, "coffin")
        await acked(listener, "restart", "refused", id="phone")
        await send("stop", 0.0, "coffin")
        await acked(listener, "stop", "done", id="phone")


@pytest.mark.parametrize("source", [pytest.param(NATIVE, id="native"), pytest.param(LEGACY, id="legacy")])
async def test_no_flood_stands_before_a_panic(haunt: Haunt, broker: Mosquitto, source: str) -> None:
    """Of 3,000 commands that keep the event loop busy for 15 s, most have not begun when the panic that came last is through."""
    haunt.prop("coffin", source)
    async with broker.listen("halloween/#") as listener, haunt.host(broker):
        words = Words(listener)
        await words.hear("online", "coffin")
        await publish_lines(broker, "halloween/coffin/cmd", ["toil"] * 3000)
        await listener.expect("halloween/coffin/telemetry/toil begins", within_s=20)
        await broker.publish(topics.HOST_COMMAND, "panic kid on the coffin")
        report = await stopped(listener, by="mqtt")
        assert list(report["safe"]) == ["coffin"]
        toiled = await listener.expect(beginning("halloween/coffin/telemetry/toiled "))
        assert int(toiled.payload) < 2000
        await rearm(broker, listener)
        await words.hear("online", "coffin")
