"""`run --restart` has a host again after every end that was not meant, ends as it ends when that was meant, and leaves nobody behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from halloween_host.latch import Latch
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess, until
from tests.mosquitto import Mosquitto

WORKER: Final = """
import time
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def do_block(self, arg):
        time.sleep(60)
"""

#: Its first import lasts until somebody ends it.
SLOW_ONCE: Final = """
import pathlib, time

been_here = pathlib.Path(__file__).with_suffix(".been")
if not been_here.exists():
    been_here.touch()
    print("imports", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def haunt(tmp_path: Path) -> Haunt:
    haunt = Haunt(tmp_path)
    haunt.prop("coffin", WORKER)
    return haunt


def kept(haunt: Haunt, broker: Mosquitto, **environ: str) -> HostProcess:
    return haunt.host(broker, "--restart", WATCHDOG_EXIT="1", **environ)


async def child_of(host: HostProcess, haunt: Haunt, *, after: int = 0) -> int:
    """The pid in `host.pid`, once the host that is online there is another one than its keeper."""
    await host.expect_log("online", "coffin", after=after)
    pid = json.loads((haunt.folder / "state" / "host.pid").read_text())["pid"]
    assert isinstance(pid, int)
    assert pid != host.pid
    return pid


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_is_back_whatever_ended_it(broker: Mosquitto, haunt: Haunt) -> None:
    """A block (70) and a SIGKILL, each with a line; a SIGTERM is passed on, and the status is the host's: 0."""
    async with kept(haunt, broker) as host:
        first = await child_of(host, haunt)
        await broker.publish("halloween/coffin/cmd", "block")
        await host.expect_log("the host ended with status 70: restarts in")
        after = len(host.lines)
        second = await child_of(host, haunt, after=after)
        os.kill(second, signal.SIGKILL)
        await host.expect_log("the host ended by SIGKILL: restarts in", after=after)
        third = await child_of(host, haunt, after=len(host.lines))
        assert len({first, second, third}) == 3
        await host.stop()
        assert host.matching("SIGTERM: stopping")
        assert not runs(third)
    assert len(host.matching("restarts in")) == 2


async def test_a_ctrl_c_stops_it_in_good_order(broker: Mosquitto, haunt: Haunt) -> None:
    """A terminal sends it to all its processes; two of them would end the host at once."""
    async with kept(haunt, broker) as host:
        await child_of(host, haunt)
        host.interrupt_group()
        await host.wait(0)
    assert host.matching("stopped in good order")


async def test_nobody_is_left_behind(broker: Mosquitto, haunt: Haunt) -> None:
    """A keeper that is killed takes its host along, which says `offline` itself; one whose loop is blocked, too."""
    for blocked in (False, True):
        async with (
            broker.listen("halloween/coffin/status/availability") as listener,
            kept(haunt, broker, WORKER_STOP_TIMEOUT_S="0.2") as host,
        ):
            child = await child_of(host, haunt)
            await listener.expect("halloween/coffin/status/availability online")
            if blocked:
                await broker.publish("halloween/coffin/cmd", "block")
                await host.expect_log("blocks the host")
            os.kill(host.pid, signal.SIGKILL)
            await until(lambda child=child: not runs(child), "the host went with its keeper")  # type: ignore[misc]
            await listener.expect("halloween/coffin/status/availability offline")


async def test_wrong_use_is_no_reason_to_try_again(broker: Mosquitto, haunt: Haunt) -> None:
    """Status 2 passes through, as the host's own words do."""
    async with kept(haunt, broker, WORKER_STOP_TIMEOUT_S="soon") as host:
        await host.wait(2)
    async with haunt.host(broker, "--restart", "--brokr", "x") as host:
        await host.wait(2)
        assert host.matching("Unknown option", "--brokr")


async def test_a_panic_is_passed_on(broker: Mosquitto, haunt: Haunt) -> None:
    """To the host that runs."""
    async with kept(haunt, broker) as host:
        await child_of(host, haunt)
        host.signal(signal.SIGUSR1)
        await host.expect_log("PANIC", "SIGUSR1")
        await host.stop()
    assert Latch(haunt.folder / "state").read() is not None


async def test_a_panic_that_no_host_hears_is_latched(broker: Mosquitto, haunt: Haunt) -> None:
    """One that is still importing dies of the signal; the next starts latched."""
    haunt.prop("slow", SLOW_ONCE + WORKER)
    async with kept(haunt, broker) as host:
        await host.expect_log("imports")
        host.signal(signal.SIGUSR1)
        await host.expect_log("the host ended by SIGUSR1: restarts in")
        await host.expect_log("PANIC (signal): SIGUSR1")
        await host.expect_log("rearm starts them again")
        await host.stop()


def test_help_tells_of_it() -> None:
    """And is no host."""
    command = [sys.executable, "-m", "halloween_host", "run", "--restart", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "--restart" in done.stdout
