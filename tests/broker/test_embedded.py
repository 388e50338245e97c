"""The embedded broker with the real programs: up before it is told of, on the loopback only, gone with its host."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import pytest
import trio

from halloween_host.broker import EmbeddedBroker, _embedded
from halloween_host.broker._probe import probe
from tests.broker.conftest import Log
from tests.broker.processes import (
    Name,
    both_programs,
    broker_process,
    descendants,
    ended,
    fake_program,
    listening_addresses,
    round_trip,
    running,
)
from tests.mosquitto import free_port

HOST_PROGRAM = """
import os, signal, sys, trio
from halloween_host.broker import EmbeddedBroker
from halloween_host.logs import configure_logging

configure_logging("INFO", "console")

async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(EmbeddedBroker("127.0.0.1", int(sys.argv[1]), prefer=sys.argv[2]).run)
        fork = os.fork() if sys.argv[3] == "forking" else -1
        if fork == 0:
            signal.pause()
        print("up", fork, flush=True)

trio.run(main)
"""


@both_programs
async def test_a_broker_is_up_before_its_address_is_told(name: Name, log: Log) -> None:
    """Once `started` it takes messages; a line says what runs where; its own log is ours at debug level."""
    port = free_port()
    async with running(EmbeddedBroker("127.0.0.1", port, prefer=name)) as address:
        assert (address.host, address.port) == ("127.0.0.1", port)
        assert re.fullmatch(name + r" \d+\.\d+\S*", address.program or "")
        await round_trip(port)
    (info,) = [line for line in log.lines if line["level"] == "info"]
    assert info["event"] == f"Embedded broker {address.program} on 127.0.0.1:{port}, in memory"
    assert any(line["level"] == "debug" and line["broker"] == name for line in log.lines)
    assert (await probe("127.0.0.1", port)).kind == "free"


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel's table of sockets is Linux's")
@both_programs
async def test_nothing_listens_beyond_the_loopback(name: Name, log: Log) -> None:
    """Nobody else in the network reaches the embedded broker: it lets everybody in."""
    port = free_port()
    async with running(EmbeddedBroker("127.0.0.1", port, prefer=name)):
        assert listening_addresses(port) == {"127.0.0.1"}


@both_programs
async def test_ctrl_c_at_the_terminal_does_not_reach_the_broker(name: Name, log: Log) -> None:
    """It has a session of its own: the host still has `offline` to publish when the terminal sends SIGINT to all."""
    async with running(EmbeddedBroker("127.0.0.1", free_port(), prefer=name)):
        assert os.getsid(broker_process().pid) != os.getsid(0)


@pytest.mark.parametrize("how", ["plain", "forking"])
@both_programs
async def test_the_broker_dies_with_a_host_killed_by_sigkill(name: Name, how: str, temporary: Path) -> None:
    """SIGKILL of the host ends leash and broker and removes their folder, even when a fork of the host lives on."""
    port = free_port()
    host = await trio.lowlevel.open_process(
        [sys.executable, "-c", HOST_PROGRAM, str(port), name, how], stdout=-1, stderr=-3
    )
    assert host.stdout is not None
    fork = -1
    try:
        with trio.fail_after(20):
            said = b""
            while not said.endswith(b"\n"):  # the words may come one by one
                said += await host.stdout.receive_some()
            fork = int(said.split()[1])
        assert (await probe("127.0.0.1", port)).kind == "broker"
        family = [one for one in descendants(psutil.Process(host.pid)) if one.pid != fork]
        assert broker_process(psutil.Process(host.pid)) in family
        host.kill()
        for process in family:
            await ended(process)
        assert (await probe("127.0.0.1", port)).kind == "free"
    finally:
        host.kill()
        if fork > 0:
            os.kill(fork, signal.SIGKILL)
        await host.wait()
        await host.stdout.aclose()


@pytest.mark.parametrize("victim", ["broker", "leash"])
@both_programs
async def test_a_killed_broker_comes_back_on_its_port(name: Name, victim: str, log: Log) -> None:
    """Whichever of the two processes is killed: one warning with the reason, and the same port answers again."""
    port = free_port()
    async with running(EmbeddedBroker("127.0.0.1", port, prefer=name)):
        await log.wait_for("Embedded broker")
        first = broker_process()
        (first if victim == "broker" else first.parent()).kill()
        warning = await log.wait_for("The embedded broker is gone")
        assert "it was ended by SIGKILL" in warning["reason"]
        assert 0 <= warning["in_s"] <= 0.5
        await log.wait_for("Embedded broker")
        await ended(first)
        assert broker_process() != first
        await round_trip(port)
    assert [line["level"] for line in log.lines].count("warning") == 1


async def test_a_broker_that_ignores_sigterm_is_killed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, it has 2 s; then it is gone."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    monkeypatch.setattr(_embedded, "find_program", fake_program(code))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(EmbeddedBroker("127.0.0.1", free_port()).run)
        await log.wait_for("deaf")
        processes = descendants()
        with trio.fail_after(5):
            nursery.cancel_scope.cancel()
            await trio.lowlevel.cancel_shielded_checkpoint()
    assert len(processes) == 2
    assert not any(process.is_running() for process in processes)
