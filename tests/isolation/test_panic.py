"""STOP reaches an isolated worker by its pipe, with or without a broker; one that does not heed is killed, and made safe."""

from __future__ import annotations

import signal

from tests.end_to_end.haunt import Haunt, Words, holding, telling
from tests.end_to_end.process import until
from tests.isolation.processes import command, done, family_of, health_where
from tests.mosquitto import Mosquitto

PANIC = "halloween/worker_host/status/panic"


async def test_without_a_broker_and_over_a_restart(haunt: Haunt, broker: Mosquitto) -> None:
    """SIGUSR1 with no broker there: `safe()` runs. The next host is latched: `safe()` runs again, `start()` at rearm."""
    async with haunt.host(broker) as host:
        await host.expect_log("coffin", "online")
        await host.expect_log("ticker", "online")
        broker.kill()
        await host.expect_log("lost the broker")
        host.signal(signal.SIGUSR1)
        await host.expect_log("panic: 1 safe in", "without safe(): ticker")
        host.signal(signal.SIGKILL)
        await host.wait(None)
    broker.start()
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        report = await phone.expect(holding(PANIC, '"no_safe":["ticker"]'), within_s=30)
        assert '"safe":{"coffin":' in report
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        await health_where(phone, "coffin", lambda it: it["reason"] == "panic: SIGUSR1")
        assert not [line for line in phone.lines if line.startswith("halloween/coffin/telemetry/starts")]
        await done(broker, phone, "coffin", "ping", outcome="refused")
        await done(broker, phone, "worker_host", "rearm")
        await phone.expect("halloween/coffin/telemetry/starts 2", within_s=30)
        await done(broker, phone, "coffin", "ping")
        await host.stop()


async def test_one_that_blocks(haunt: Haunt, broker: Mosquitto) -> None:
    """A process that does not take the panic is killed, another one runs its `safe()`, and the report says how long it took."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        words = Words(phone)
        await words.hear("online", "coffin", "ticker")
        await command(broker, "coffin", "hold")
        await host.expect_log("holds on", "coffin")
        await done(broker, phone, "worker_host", "panic", "smoke")
        await words.hear("offline", "coffin", "ticker")
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        assert host.matching("error", "coffin", "has not taken the panic in 2 s: its process is killed")
        await done(broker, phone, "worker_host", "rearm")
        await words.hear("online", "coffin", "ticker")
        await host.stop()


async def test_its_own(haunt: Haunt, broker: Mosquitto) -> None:
    """`self.panic()` in the isolated process stops the whole house."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        words = Words(phone)
        await words.hear("online", "coffin", "ticker")
        await command(broker, "coffin", "scream")
        await words.hear("offline", "coffin", "ticker")
        await phone.expect(telling(PANIC, active=True, reason="a scream", by="coffin", no_safe=["ticker"]), within_s=30)
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        await host.stop()


async def test_a_stopped_one(haunt: Haunt, broker: Mosquitto) -> None:
    """A worker without a process gets one for its `safe()`; it stays stopped over the rearm."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        await done(broker, phone, "worker_host", "stop", "coffin")
        await done(broker, phone, "worker_host", "panic")
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        await done(broker, phone, "worker_host", "rearm")
        await health_where(
            phone, "coffin", lambda it: it["reason"] == "stopped before the panic was over" and not it["pid"]
        )
        await until(lambda: family_of(host) == [], "the end of the process")
        await host.stop()
