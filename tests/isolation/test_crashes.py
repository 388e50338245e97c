"""It may block, segfault or be killed: nobody else notices, and it is back within its back-off."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from tests.end_to_end.haunt import Haunt, Words, holding
from tests.end_to_end.process import HostProcess
from tests.isolation.processes import all_gone, command, done, family_of, health_where
from tests.isolation.workers import COFFIN
from tests.mosquitto import Listener, Mosquitto

BLOCKED: Final = ("spinner", "holder")


async def test_segfault(haunt: Haunt, broker: Mosquitto) -> None:
    """The broker says `offline`, `status/error` says where it stood, and another process is online soon after."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        words = Words(phone)
        await words.hear("online", "coffin", "ticker")
        await command(broker, "coffin", "null")
        await words.hear("offline", "coffin")
        error = await phone.expect(holding("halloween/coffin/status/error", "SIGSEGV"))
        assert "in do_null() (props/coffin/backend/worker.py:" in error
        health = await health_where(phone, "coffin", lambda it: it["state"] == "degraded")
        assert health["restarts"] == 1
        assert health["reason"].startswith("restarted after: its process was ended by SIGSEGV")
        await done(broker, phone, "coffin", "ping")
        await done(broker, phone, "ticker", "ping")
        assert not [line for line in phone.lines if line == "halloween/ticker/status/availability offline"]
        assert len(host.matching("error", "coffin", "Fatal Python error: Segmentation fault")) == 1
        await host.stop()


async def test_killed(haunt: Haunt, broker: Mosquitto) -> None:
    """SIGKILL is a crash like any other, and takes nothing of what was stored a moment ago."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        words = Words(phone)
        health = await health_where(phone, "coffin", lambda it: it["state"] == "online")
        await words.hear("online", "coffin")
        await done(broker, phone, "coffin", "ping")
        os.kill(health["pid"], signal.SIGKILL)
        await words.hear("offline", "coffin")
        back = await health_where(phone, "coffin", lambda it: it["state"] == "degraded")
        assert back["pid"] != health["pid"]
        await words.hear("online", "coffin")
        await done(broker, phone, "coffin", "ping")
        await done(broker, phone, "worker_host", "ping")
        await host.stop()


async def test_blocked_for_ever(haunt: Haunt, broker: Mosquitto) -> None:
    """A loop that never comes back is named while others work on, and is killed at its deadline when the host stops."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker) as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        await command(broker, "coffin", "spin")
        error = await phone.expect(holding("halloween/coffin/status/error", "in do_spin() (props/coffin"), within_s=30)
        assert error.endswith(("while True:", "pass"))
        await health_where(phone, "coffin", lambda it: it["reason"] and "blocks" in it["reason"])
        for _ in range(3):
            await done(broker, phone, "ticker", "ping")
        family = family_of(host)
        await host.stop()
        await all_gone(family)
        assert host.matching("error", "coffin", "has not ended in 1.2 s: its process is killed")


async def test_ends_itself(haunt: Haunt, broker: Mosquitto) -> None:
    """WATCHDOG_EXIT ends the blocked process, with all stacks in the host's log, and not the host."""
    async with broker.listen("halloween/#") as phone, haunt.host(broker, WATCHDOG_EXIT="1") as host:
        await health_where(phone, "coffin", lambda it: it["state"] == "online")
        await command(broker, "coffin", "spin")
        await phone.expect(holding("halloween/coffin/status/error", "its process ended with status 70"), within_s=30)
        await health_where(phone, "coffin", lambda it: it["state"] == "degraded" and it["restarts"] == 1)
        await done(broker, phone, "ticker", "ping")
        assert host.matching("critical", "coffin", "the event loop has stood still for 1 s")
        await host.stop()


async def test_no_orphan(haunt: Haunt, broker: Mosquitto) -> None:
    """A host that is killed takes its isolated workers along: one that idles, one that spins, one that holds the GIL in C."""
    async with broker.listen("halloween/#") as phone, busy_host(haunt, broker, phone) as host:
        family = family_of(host)
        assert len(family) == 6
        host.signal(signal.SIGKILL)
        await phone.expect("halloween/coffin/telemetry/safe true", within_s=30)
        await all_gone(family)
        for prop_id in BLOCKED:
            assert f"halloween/{prop_id}/telemetry/safe true" not in phone.lines  # they were blocked to the end
            await phone.expect(f"halloween/{prop_id}/status/availability offline", within_s=30)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does that: PR_SET_PDEATHSIG")
async def test_no_orphan_without_leash(haunt: Haunt, broker: Mosquitto) -> None:
    """Host and leashes are killed in the same moment."""
    async with broker.listen("halloween/#") as phone, busy_host(haunt, broker, phone) as host:
        family = family_of(host)
        leashes = [each for each in family if each.ppid() == host.pid]
        assert len(leashes) == 3
        host.signal(signal.SIGSTOP)  # the moment lasts until all of them are killed
        for leash in leashes:
            leash.kill()
        host.signal(signal.SIGKILL)
        await all_gone(family)
        for prop_id in ("coffin", *BLOCKED):
            await phone.expect(f"halloween/{prop_id}/status/availability offline", within_s=30)


@asynccontextmanager
async def busy_host(haunt: Haunt, broker: Mosquitto, phone: Listener) -> AsyncIterator[HostProcess]:
    """A host with three isolated workers, two of which are blocked."""
    for prop_id in BLOCKED:
        haunt.prop(prop_id, COFFIN)
    async with haunt.host(broker) as host:
        for prop_id in ("coffin", *BLOCKED):
            await health_where(phone, prop_id, lambda it: it["state"] == "online")
        await command(broker, "spinner", "spin")
        await command(broker, "holder", "hold")
        await phone.expect(holding("halloween/spinner/status/error", "do_spin"), within_s=30)
        await host.expect_log("holds on", "holder")
        await done(broker, phone, "coffin", "ping")
        yield host
