"""On a machine that has no CPU for the host, or that stops it, nobody is named for that; who blocks is named all the same."""

from __future__ import annotations

from typing import Final

import pytest
import trio

from tests.end_to_end.haunt import Haunt, beginning, holding
from tests.end_to_end.process import HostProcess
from tests.guard.hogs import crowded, linux_counts
from tests.mosquitto import Line, Listener, Mosquitto

HOGS: Final = 6
WATCHDOG_S: Final = 0.2
#: Seconds of CPU that a step of honest work takes: much less than a block, and on that machine it lasts as long as one.
WORKS_S: Final = 0.06
#: Steps that lasted so long.
SEEN: Final = 3
STOPPED_S: Final = 1.0

NATIVE: Final = """
import os, time
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def do_burn(self, cpu_s: float):
        os.write(1, b"burns\\n")
        began, end = time.monotonic(), time.thread_time() + cpu_s
        while time.thread_time() < end:
            pass
        self.telemetry("lasted", time.monotonic() - began)

    async def do_sleep(self, seconds: float):
        time.sleep(seconds)
        self.telemetry("over", True)
"""
LEGACY: Final = """
import time
from worker_host.base import BaseWorker

class Worker(BaseWorker):
    async def do_burn(self, arg):
        began, end = time.monotonic(), time.thread_time() + float(arg)
        while time.thread_time() < end:
            pass
        self.telemetry("lasted", time.monotonic() - began)
"""


@pytest.mark.skipif(not linux_counts(), reason="only Linux tells how long a thread waited for a CPU")
async def test_who_waits_for_a_cpu_blocks_nobody(broker: Mosquitto, haunt: Haunt) -> None:
    """Neither while its step lasts nor afterwards; one that sleeps, or burns what CPU there is, is named while it does."""
    haunt.prop("coffin", NATIVE)
    haunt.prop("old", LEGACY)
    environ = {"WATCHDOG_S": str(WATCHDOG_S), "LOG_LEVEL": "WARNING"}
    async with broker.listen("halloween/#") as phone, haunt.host(broker, **environ) as host:
        for prop_id in ("coffin", "old"):
            await phone.expect(f"halloween/{prop_id}/status/availability online", within_s=30)
        with crowded(host.pid, HOGS):
            for prop_id in ("coffin", "old"):
                await work_honestly(broker, phone, prop_id)
            assert not host.matching("block")
            assert not list(filter(holding("/status/", "block"), phone.lines))
            await broker.publish("halloween/coffin/cmd", "sleep 1")
            error = await named(host, phone, "coffin", "do_sleep()")
            over = await phone.expect("halloween/coffin/telemetry/over true", within_s=30)
            assert phone.lines.index(error) < phone.lines.index(over)
            await broker.publish("halloween/old/cmd", f"burn {3 * WATCHDOG_S}")
            await named(host, phone, "old", "do_burn()")
        await phone.expect(holding("halloween/old/status/warn", "blocked the host", "do_burn()"), within_s=30)
        await host.stop()


@pytest.mark.skipif(
    not linux_counts(), reason="elsewhere a process that is stopped cannot be told from a GIL that is held"
)
async def test_who_is_stopped_in_the_middle_of_a_step_blocks_nobody(broker: Mosquitto, haunt: Haunt) -> None:
    """SIGSTOP, `docker pause`: neither while it goes on nor afterwards."""
    haunt.prop("coffin", NATIVE)
    lasted_s = 0.0
    async with broker.listen("halloween/#") as phone, haunt.host(broker, WATCHDOG_S="0.5") as host:
        await phone.expect("halloween/coffin/status/availability online", within_s=30)
        while lasted_s < STOPPED_S:  # else it was over before it was stopped
            after = len(host.lines)
            await broker.publish("halloween/coffin/cmd", "burn 0.25")
            await host.expect_log("burns", after=after)
            host.pause()
            await trio.sleep(STOPPED_S)
            host.resume()
            lasted_s = float((await phone.expect(beginning("halloween/coffin/telemetry/lasted "), within_s=30)).payload)
        await broker.publish("halloween/coffin/cmd", "burn 0")
        await phone.expect(beginning("halloween/coffin/telemetry/lasted "))
        assert not host.matching("block")
        assert not list(filter(holding("/status/", "block"), phone.lines))
        await host.stop()


async def work_honestly(broker: Mosquitto, phone: Listener, prop_id: str) -> None:
    """Until some of its steps were kept from the CPU for so long that they would have been a block."""
    seen = 0
    lasted = beginning(f"halloween/{prop_id}/telemetry/lasted ")
    for _ in range(20 * SEEN):
        await broker.publish(f"halloween/{prop_id}/cmd", f"burn {WORKS_S}")
        line = await phone.expect(lasted, within_s=30)
        seen += float(line.payload) > WATCHDOG_S
        if seen == SEEN:
            return
    raise AssertionError("this machine has CPU enough")


async def named(host: HostProcess, phone: Listener, prop_id: str, where: str) -> Line:
    """What its `status/error` says; the log says it too."""
    error = await phone.expect(holding(f"halloween/{prop_id}/status/error", "blocks the host", where), within_s=30)
    await host.expect_log("error", prop_id, "blocks the host", where)
    return error
