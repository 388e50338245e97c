"""The embedded broker seen from outside: its processes, its port, and Python code in its place."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import pytest
import trio

from halloween_host.broker import BrokerAddress, EmbeddedBroker
from halloween_host.broker._programs import Program
from tests.mosquitto import program

Name = Literal["mosquitto", "amqtt"]
both_programs = pytest.mark.parametrize("name", ["mosquitto", "amqtt"])


@asynccontextmanager
async def running(broker: EmbeddedBroker) -> AsyncIterator[BrokerAddress]:
    """The broker is up inside, and no process of it is left outside."""
    before = set(psutil.Process().children(recursive=True))
    async with trio.open_nursery() as nursery:
        with trio.fail_after(20):
            address = await nursery.start(broker.run)
        yield address
        ours = set(psutil.Process().children(recursive=True)) - before
        nursery.cancel_scope.cancel()
    assert [process for process in ours if process.is_running()] == []


def broker_process(parent: psutil.Process | None = None) -> psutil.Process:
    """The process of the broker itself, at the far end of the leash."""
    (leash,) = [one for one in descendants(parent) if any("_leash.py" in word for word in one.cmdline())]
    (broker,) = leash.children()
    return broker


def descendants(parent: psutil.Process | None = None) -> list[psutil.Process]:
    return list((parent or psutil.Process()).children(recursive=True))


async def ended(process: psutil.Process) -> None:
    """Wait until it runs no more. Init may take seconds to reap an orphan, so a zombie counts as ended."""
    with trio.fail_after(5), contextlib.suppress(psutil.NoSuchProcess):
        while process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 (no event tells of another's child)
            await trio.sleep(0.01)


async def round_trip(port: int) -> None:
    """A retained message comes back: this is a broker, and it takes anonymous clients."""
    where = ["-h", "127.0.0.1", "-p", str(port), "-t", "halloween/test"]
    with trio.fail_after(10):
        await trio.run_process([program("mosquitto_pub"), *where, "-q", "1", "-r", "-m", "boo"])
        result = await trio.run_process([program("mosquitto_sub"), *where, "-C", "1"], capture_stdout=True)
    assert result.stdout == b"boo\n"


def listening_addresses(port: int) -> set[str]:
    """Addresses on which anything listens on `port`, from the kernel's own tables (of this machine's every process)."""
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for row in table.read_text().splitlines()[1:] if table.exists() else []:
            local, _, state = row.split()[1:4]
            address, _, port_digits = local.partition(":")
            if state == "0A" and int(port_digits, 16) == port:  # 0A: LISTEN
                found.add(".".join(str(byte) for byte in reversed(bytes.fromhex(address))))
    return found


def fake_program(code: str) -> Callable[..., Program]:
    """Python code in the place of a broker."""
    made = Program(name="fake", command=(sys.executable, "-c", code), config="", config_suffix=".conf")
    return lambda *_, **__: made
