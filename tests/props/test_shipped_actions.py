"""Every action of every shipped prop answers, on a real host and a real broker."""

from __future__ import annotations

from tests.end_to_end.haunt import Haunt, heard_of
from tests.mosquitto import Mosquitto


async def test_the_fogger(shipped: Haunt, broker: Mosquitto) -> None:
    """`start [seconds]` blows and ends by itself, a new start begins anew, `stop` ends it at once, its end leaves the fog off."""
    fog = "halloween/fogger/telemetry/fog"
    cmd = "halloween/fogger/cmd"
    async with (
        broker.listen("halloween/fogger/#") as listener,
        shipped.host(broker, WORKER_PROPS_ALLOW="fogger") as host,
    ):
        await listener.expect("halloween/fogger/status/availability online", within_s=30)
        await listener.expect(f"{fog} false")
        await broker.publish(cmd, "start 0.05")
        await listener.expect_in_order(f"{fog} true", f"{fog} false")
        await broker.publish(cmd, "start")
        await listener.expect(f"{fog} true")
        await broker.publish(cmd, "start 15")
        await listener.expect(f"{fog} true")
        await broker.publish(cmd, "stop")
        await listener.expect(f"{fog} false")
        await broker.publish(cmd, "start 15")
        await listener.expect(f"{fog} true")
        await host.stop()
        await listener.expect(f"{fog} false")
        assert [line for line in heard_of(listener, "fogger") if line.startswith("telemetry")][
            -1
        ] == "telemetry/fog false"
        assert not [line for line in listener.lines if "/error" in line]


async def test_the_coffin_jumper(shipped: Haunt, broker: Mosquitto) -> None:
    """`trigger` fires the fogger, opens the lid and closes it, counts; a second trigger meanwhile is told that it is busy."""
    backend = shipped.props / "coffin_jumper" / "backend"
    (backend / "config.yaml").write_text("fog_s: 0.05\nsuspense_s: 0.3\nopen_s: 0.05\n")
    coffin = "halloween/coffin_jumper/telemetry"
    async with broker.listen("halloween/#") as listener, shipped.host(broker):
        for prop in ("coffin_jumper", "fogger"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        await broker.publish("halloween/coffin_jumper/cmd", "trigger Eve")
        await listener.expect(f"{coffin}/trigger Eve")
        await broker.publish("halloween/coffin_jumper/cmd", "trigger")
        await listener.expect('halloween/fogger/cmd {"action": "start", "args": 0.05}')
        await listener.expect_in_order("halloween/fogger/telemetry/fog true", "halloween/fogger/telemetry/fog false")
        await listener.expect_in_order(f"{coffin}/lid open", f"{coffin}/lid closed", f"{coffin}/jumps 1")
        await broker.publish("halloween/coffin_jumper/cmd", "trigger")
        await listener.expect(f"{coffin}/jumps 2")
        assert not [line for line in listener.lines if "/error" in line]


async def test_a_busy_coffin(shipped: Haunt, broker: Mosquitto) -> None:
    """A trigger during a scare does nothing but say so; the end of the host in a scare closes the lid."""
    backend = shipped.props / "coffin_jumper" / "backend"
    (backend / "config.yaml").write_text("suspense_s: 0\nopen_s: 3600\n")
    coffin = "halloween/coffin_jumper/telemetry"
    # two connections are in no order
    async with broker.listen("halloween/coffin_jumper/#") as listener, shipped.host(broker, PRESENCE_MAX="0") as host:
        await listener.expect("halloween/coffin_jumper/status/availability online", within_s=30)
        await broker.publish("halloween/coffin_jumper/cmd", "trigger")
        await listener.expect_in_order(f"{coffin}/trigger somebody", f"{coffin}/lid open")
        await broker.publish("halloween/coffin_jumper/cmd", "trigger")
        await listener.expect(f"{coffin}/trigger busy")
        await host.stop()
        await listener.expect_in_order(f"{coffin}/lid closed", "halloween/coffin_jumper/status/availability offline")


async def test_the_example_prop(shipped: Haunt, broker: Mosquitto) -> None:
    """The asyncio example ticks, answers `ping`, and commands the fogger on `fire`."""
    example = "halloween/example_prop/telemetry"
    async with broker.listen("halloween/#") as listener, shipped.host(broker):
        for prop in ("example_prop", "fogger"):
            await listener.expect(f"halloween/{prop}/status/availability online", within_s=30)
        await listener.expect(f"{example}/tick 0")
        await broker.publish("halloween/example_prop/cmd", "ping")
        await listener.expect(f"{example}/pong ok")
        await broker.publish("halloween/example_prop/cmd", "ping hello")
        await listener.expect(f"{example}/pong hello")
        await broker.publish("halloween/example_prop/cmd", "fire 0.05")
        await listener.expect('halloween/fogger/cmd {"action": "start", "args": "0.05"}')
        await listener.expect_in_order("halloween/fogger/telemetry/fog true", "halloween/fogger/telemetry/fog false")
        assert not [line for line in listener.lines if "/error" in line]
