"""A flood on one worker is that worker's affair: the others answer, what it cannot take is counted, and memory has a bound."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.counts.wire import Phone
from tests.end_to_end.haunt import Haunt
from tests.end_to_end.process import HostProcess
from tests.mosquitto import Line, Listener, Mosquitto, program

FLOOD: Final = 50_000
CAPACITY: Final = 1_000

#: MiB that the host may grow by in the flood: a mailbox full of commands that run, 6 KiB each with their tasks, is 6 of them, and
#: reading 64 KiB of messages at once takes a few. All 50,000 kept would be 50 to 270.
GROWTH_MIB: Final = 32

#: Takes a while for each command, and tells how many it has taken.
FLOODED: Final = """\
import anyio
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def start(self) -> None:
        await super().start()
        self.handled = 0
        self.spawn(self._tell)

    async def _tell(self) -> None:
        told = 0
        while True:
            if self.handled != told:
                told = self.handled
                self.telemetry("handled", told)
            await anyio.sleep(0.1)

    async def do_fire(self, number: int) -> None:
        await anyio.sleep(0.3)
        self.handled += 1
"""

QUIET: Final = """\
from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, number: int) -> None:
        self.telemetry("pong", number)
"""

QUIET_ASYNCIO: Final = """\
import asyncio

from worker_host.base import BaseWorker


class Worker(BaseWorker):
    async def do_ping(self, number):
        await asyncio.sleep(0)
        self.telemetry("pong", number)
"""

QUIET_ONES: Final = ("quiet", "calm")
PROPS: Final = {"flooded": FLOODED, "quiet": QUIET, "calm": QUIET_ASYNCIO}


@pytest.mark.timeout(180)
async def test_a_flood_on_one_worker_leaves_the_others_alone(haunt: Haunt, broker: Mosquitto) -> None:
    """50,000 commands go to a slow worker; meanwhile every command to the quiet ones is answered, in order, in both dialects.

    Afterwards those that it took and those that its health calls refused are all that were sent, one line a second was said
    of them at most, and the host is not larger than a full mailbox explains.
    """
    for name, source in PROPS.items():
        haunt.prop(name, source)
    async with (
        broker.listen("halloween/+/telemetry/#", "halloween/+/status/#") as listener,
        haunt.host(broker, WORKER_MAILBOX_CAPACITY=str(CAPACITY)) as host,
    ):
        for name in PROPS:
            await listener.expect(f"halloween/{name}/status/availability online", within_s=30)
        before_mib, began = memory_mib(host, "VmRSS"), trio.current_time()
        with flooding(haunt.folder, broker) as flood:
            rounds = await trio.to_thread.run_sync(ask_the_quiet, broker, flood)
        assert flood.returncode == 0
        assert rounds >= 10, "they had to wait for the end of the flood"
        await until_all_is_told(listener)
        await until_heard(listener, rounds)
        lasted_s = trio.current_time() - began
        for name in QUIET_ONES:
            assert of(listener, name, "telemetry/pong") == [str(number) for number in range(rounds)]
            assert json.loads(of(listener, name, "status/health")[-1])["refused"] == 0
        for lines in (of(listener, "flooded", "status/error"), host.matching("error", "flooded")):
            assert 1 <= len(lines) <= lasted_s + 1
            assert all("refused, the mailbox is full" in line for line in lines)
        assert memory_mib(host, "VmHWM") - before_mib < GROWTH_MIB
        await host.stop()


def ask_the_quiet(broker: Mosquitto, flood: subprocess.Popen[bytes]) -> int:
    """Command both again and again until the flood is over, the next time when both have answered; how often that was."""
    rounds = 0
    with Phone(broker.port, "halloween/+/telemetry/pong") as phone:
        while flood.poll() is None:
            phone.command(*((name, f"ping {rounds}") for name in QUIET_ONES))
            phone.hear(len(QUIET_ONES))
            rounds += 1
    return rounds


@contextmanager
def flooding(folder: Path, broker: Mosquitto) -> Iterator[subprocess.Popen[bytes]]:
    """One connection, one command a line, QoS 1, as fast as the broker takes them."""
    commands = folder / "flood.txt"
    commands.write_text("".join(f"fire {number}\n" for number in range(FLOOD)))
    command = [program("mosquitto_pub"), *broker.client_options(), "-t", "halloween/flooded/cmd", "-q", "1", "-l"]
    with commands.open("rb") as lines, subprocess.Popen(command, stdin=lines) as flood:
        try:
            yield flood
        finally:
            flood.kill()


async def until_all_is_told(listener: Listener) -> None:
    """Until the flooded worker has told of every command that it took it, or refused it: neither more nor less than were sent."""

    def is_news(line: Line) -> bool:
        return line.topic.startswith(("halloween/flooded/telemetry/handled", "halloween/flooded/status/health"))

    while (told := handled(listener) + refused(listener)) < FLOOD:
        await listener.expect(is_news, within_s=60)
    assert told == FLOOD


async def until_heard(listener: Listener, rounds: int) -> None:
    """Until this listener too has every answer that the phone had."""
    while any(len(of(listener, name, "telemetry/pong")) < rounds for name in QUIET_ONES):
        await listener.expect(lambda line: line.topic.endswith("/telemetry/pong"), within_s=10)


def handled(listener: Listener) -> int:
    return int((of(listener, "flooded", "telemetry/handled") or ["0"])[-1])


def refused(listener: Listener) -> int:
    """What its last health said; 0 before its first."""
    return sum(json.loads(health)["refused"] for health in of(listener, "flooded", "status/health")[-1:])


def of(listener: Listener, name: str, key: str) -> list[str]:
    """The payloads of one topic of a prop so far."""
    return [line.payload.decode() for line in listener.lines if line.topic == f"halloween/{name}/{key}"]


def memory_mib(host: HostProcess, what: str) -> float:
    """`VmRSS` now or `VmHWM`, the most it ever was (proc(5))."""
    status = Path(f"/proc/{host.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here: only Linux tells how much memory a process has had")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) / 1024
