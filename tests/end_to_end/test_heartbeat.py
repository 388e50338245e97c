"""The documented walk-through works word by word, for the shipped heartbeat and for the asyncio one of 2025."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

ROOT = Path(__file__).parents[2]
LEGACY_HEARTBEAT = ROOT / "tests" / "legacy" / "fixtures" / "builtins" / "heartbeat.py"
TOPIC = "halloween/heartbeat"


def ship(haunt: Haunt) -> None:
    shutil.copy(ROOT / "builtins" / "heartbeat.py", haunt.builtins)


def as_of_2025(haunt: Haunt) -> None:
    shutil.copy(LEGACY_HEARTBEAT, haunt.builtins / "heartbeat.py")


DIALECTS = pytest.mark.parametrize("put_heartbeat", [ship, as_of_2025])


@DIALECTS
async def test_the_walk_through(haunt: Haunt, broker: Mosquitto, put_heartbeat: Callable[[Haunt], None]) -> None:
    """A subscriber from before the start sees `online`, `tick 0`, and to each command the documented answers, in this order."""
    put_heartbeat(haunt)
    # two connections are in no order
    async with broker.listen(f"{TOPIC}/#") as listener, haunt.host(broker, PRESENCE_MAX="0") as host:
        await listener.expect_in_order(
            f"{TOPIC}/status/availability online",
            f"{TOPIC}/telemetry/tick 0",
            within_s=30,
        )
        await broker.publish(f"{TOPIC}/cmd", "ping")
        await listener.expect(f"{TOPIC}/telemetry/pong ok")
        await broker.publish(f"{TOPIC}/cmd", "ping hello")
        await listener.expect(f"{TOPIC}/telemetry/pong hello")
        await broker.publish(f"{TOPIC}/cmd", "set_mode spooky")
        await listener.expect(f"{TOPIC}/telemetry/mode spooky")
        await broker.publish(f"{TOPIC}/cmd", "set_mode")
        await listener.expect(f"{TOPIC}/telemetry/mode idle")
        await broker.publish(f"{TOPIC}/cmd", "fire 750")
        await listener.expect_in_order(f"{TOPIC}/telemetry/event fire start 750ms", f"{TOPIC}/telemetry/event fire end")
        await broker.publish(f"{TOPIC}/cmd", "fire")
        await listener.expect_in_order(f"{TOPIC}/telemetry/event fire start 500ms", f"{TOPIC}/telemetry/event fire end")
        host.signal(signal.SIGTERM)
        await listener.expect(f"{TOPIC}/status/availability offline")
        await host.wait(0)
        telemetry = [line for line in listener.lines if "/telemetry/" in line]
        assert telemetry[0] == f"{TOPIC}/telemetry/tick 0"
        assert listener.lines.index(telemetry[0]) > listener.lines.index(f"{TOPIC}/status/availability online")  # type: ignore[arg-type] # a Line is a str
        assert not [line for line in listener.lines if "/status/error" in line]


@DIALECTS
async def test_commands_as_json(haunt: Haunt, broker: Mosquitto, put_heartbeat: Callable[[Haunt], None]) -> None:
    """`{"action": …, "args": …}` does the same as plain text, with numbers, text, a blank and nothing as its argument."""
    put_heartbeat(haunt)
    async with broker.listen(f"{TOPIC}/#") as listener, haunt.host(broker):
        await listener.expect(f"{TOPIC}/status/availability online", within_s=30)
        await broker.publish(f"{TOPIC}/cmd", '{"action": "ping", "args": "hello"}')
        await listener.expect(f"{TOPIC}/telemetry/pong hello")
        await broker.publish(f"{TOPIC}/cmd", '{"action": "ping"}')
        await listener.expect(f"{TOPIC}/telemetry/pong ok")
        await broker.publish(f"{TOPIC}/cmd", '{"action": "set-mode", "args": "  "}')
        await listener.expect(f"{TOPIC}/telemetry/mode idle")
        await broker.publish(f"{TOPIC}/cmd", '{"action": "fire", "args": 50}')
        await listener.expect_in_order(f"{TOPIC}/telemetry/event fire start 50ms", f"{TOPIC}/telemetry/event fire end")


@DIALECTS
async def test_the_tick_interval_is_configured(
    haunt: Haunt, broker: Mosquitto, put_heartbeat: Callable[[Haunt], None]
) -> None:
    """`builtins/heartbeat.yaml` beside the built-in sets `tick_interval`, and the ticks count on."""
    put_heartbeat(haunt)
    (haunt.builtins / "heartbeat.yaml").write_text("tick_interval: 0.05\n")
    async with broker.listen(f"{TOPIC}/telemetry/tick") as listener, haunt.host(broker):
        ticks = [f"{TOPIC}/telemetry/tick {number}" for number in range(5)]
        await listener.expect_in_order(*ticks, within_s=30)
