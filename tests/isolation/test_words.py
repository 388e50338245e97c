"""What is said of an isolated worker is true of a process of its own: whom it blocks, and why it ends."""

from __future__ import annotations

import json
import signal
from typing import Final

import trio

from tests.end_to_end.haunt import Haunt, holding
from tests.isolation.processes import all_gone, command, done, family_of, health_where, runs, terminate
from tests.mosquitto import Listener, Mosquitto

BLOCKER: Final = """
import time
from worker_host.base import BaseWorker


class Worker(BaseWorker):
    isolate = True

    async def do_sleep(self, arg):
        time.sleep(1)
"""


async def test_whom_it_blocks(haunt: Haunt, broker: Mosquitto) -> None:
    """Its own process and nobody else, in either dialect: while it does, afterwards, in the log and in its health."""
    haunt.prop("old", BLOCKER)
    haunt.prop("new", BLOCKER.replace("worker_host.base", "halloween_host"))
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        for prop_id in ("old", "new"):
            await health_where(phone, prop_id, lambda it: it["state"] == "online")
            await command(broker, prop_id, "sleep")
            where = f"in do_sleep() (props/{prop_id}/backend/worker.py:"
            await phone.expect(holding(f"{prop_id}/status/error blocks its process {where}"), within_s=30)
            await health_where(
                phone, prop_id, lambda it: (it["reason"] or "").startswith("blocks its process in do_sl")
            )
            await phone.expect(holding(f"{prop_id}/status/warn blocked its process for 1.", where), within_s=30)
            await health_where(phone, prop_id, lambda it: (it["reason"] or "").startswith("blocked its process for 1."))
            await host.expect_log("error", prop_id, f"blocks its process {where}")
        await host.stop()
    assert not host.matching("blocks the host")
    assert not [line for line in phone.lines if "the host and all other workers" in line]


async def test_why_it_ends(haunt: Haunt, broker: Mosquitto) -> None:
    """The last word of a process on its worker's health is the operator's order, and the host's stop only when the host stops."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        for order, reason in (
            ("restart", "restarted by the operator"),
            ("reload", "reloaded by the operator"),
            ("stop", "stopped by the operator"),
            ("start", None),
        ):
            after = len(phone.lines)
            await done(broker, phone, "worker_host", order, "coffin")
            assert reasons(phone, after) == ({reason} if reason else set())
        after = len(phone.lines)
        await done(broker, phone, "worker_host", "panic")
        await done(broker, phone, "worker_host", "rearm")
        await health_where(phone, "coffin", lambda it: it["reason"] == "rearmed")
        assert reasons(phone, after) == {"panic", "rearmed"}
        await host.stop()
        await phone.expect(holding("halloween/coffin/status/health", '"reason":"the host stopped"'))


async def test_why_it_ends_alone(haunt: Haunt, broker: Mosquitto) -> None:
    """Somebody's signal to the process alone, or the end of its host, is not the host's stop either."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        terminate(family_of(host))
        await health_where(phone, "coffin", lambda it: (it["reason"] or "").startswith("SIGTERM: this process ends"))
        await health_where(phone, "coffin", lambda it: it["state"] == "degraded")
        family = family_of(host)
        host.signal(signal.SIGKILL)
        await health_where(phone, "coffin", lambda it: it["reason"] == "the host is gone")
        await all_gone(family)
        assert "the host stopped" not in reasons(phone, 0)


async def test_a_signal_to_all(haunt: Haunt, broker: Mosquitto) -> None:
    """systemd's SIGTERM to every process of a unit: a host that stops says so, and one that died had its prop made safe."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        family = family_of(host)
        host.signal(signal.SIGTERM)
        while any(map(runs, family)):  # also while its process ends, and after
            terminate(family)
            await trio.sleep(0.001)
        await health_where(phone, "coffin", lambda it: it["reason"] == "the host stopped")
        await host.wait(0)
        assert reasons(phone, 0) == {"the host stopped"}
        assert not host.matching("the host starts another")
    async with haunt.host(broker) as host, broker.listen("halloween/#") as phone:
        await phone.expect("halloween/coffin/telemetry/starts 2", within_s=30)
        await phone.expect("halloween/coffin/status/availability online", within_s=30)
        family = family_of(host)
        host.signal(signal.SIGKILL)
        terminate(family)
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        await all_gone(family)


def reasons(phone: Listener, after: int) -> set[str]:
    """Why `coffin` was offline, from that line on."""
    topic = "halloween/coffin/status/health"
    told = [json.loads(line.payload) for line in phone.lines[after:] if line.topic == topic]
    return {each["reason"] for each in told if each["state"] == "offline"}
