"""`panic` gets through: by the broker, and when broker or host say nothing, by a signal to the host of this machine."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio
from anyio.abc import SocketStream

from tests.cli.stand_in import StandIn, ack, panic_report
from tests.cli.terminal import Terminal
from tests.cli.tiny_host import TinyHost
from tests.mosquitto import Mosquitto, free_port
from tests.mqtt.backends import scripted_broker, until_closed

PANIC = "halloween/worker_host/status/panic"


@pytest.fixture
async def tiny_host(terminal: Terminal) -> TinyHost:
    """A process that holds `state/host.pid` in the terminal's folder and writes the latch at SIGUSR1."""
    return TinyHost(terminal.folder / "state")


async def test_every_safe_is_well(wired: Terminal, broker: Mosquitto) -> None:
    """Status 0 and the report in a line; the host gets the reason and who asked."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "panic"] = [ack("accepted"), ack("done", result=panic_report())]
        finished = await wired.run("panic", "smoke", "in", "room 3")
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith("PANIC by cli for ")
    assert "smoke; 1 safe in 13 ms, 1 without safe()" in finished.out
    ((_, payload),) = host.heard
    assert payload["args"] == {"reason": "smoke in room 3", "by": "cli"}


async def test_some_prop_is_not_safe(wired: Terminal, broker: Mosquitto) -> None:
    """Status 1, and a line for each such prop with its reason; a latch that is not on the disk is said."""
    report = panic_report(unsafe={"fogger": "hung in do_fire, worker.py:31", "lift": "raised OSError"}, durable=False)
    async with StandIn(broker) as host:
        host.answers["worker_host", "panic"] = [ack("accepted"), ack("failed", error="…", result=report)]
        finished = await wired.run("panic")
    assert finished.status == 1
    assert finished.err.splitlines() == [
        "halloween-host: NOT SAFE: fogger: hung in do_fire, worker.py:31",
        "halloween-host: NOT SAFE: lift: raised OSError",
        "halloween-host: the latch could not be written: a restart of the host would start the workers",
    ]


async def test_without_a_broker_the_host_here_gets_the_signal(terminal: Terminal, tiny_host: TinyHost) -> None:
    """Found by host.pid; status 4, because nobody can hear who is safe, and a line that says where that stands."""
    async with tiny_host:
        finished = await terminal.run("panic", "--broker", f"127.0.0.1:{free_port()}")
        assert await tiny_host.wait_signalled()
    assert finished.status == 4, finished.err
    assert f"STOP sent to the host here by SIGUSR1, pid {tiny_host.pid}" in finished.out
    assert "refused: nothing listens there; trying SIGUSR1" in finished.err
    assert "state/panic.json stands: it is latched until rearm" in finished.err


async def test_a_frozen_broker_costs_two_seconds(wired: Terminal, broker: Mosquitto, tiny_host: TinyHost) -> None:
    """A broker that accepts and says nothing is given up for the signal."""
    broker.freeze()
    try:
        async with tiny_host:
            began = trio.current_time()
            running = await wired.start("panic")
            assert await tiny_host.wait_signalled()
            assert trio.current_time() - began < 6
            finished = await running.end()
    finally:
        broker.thaw()
    assert finished.status == 4, finished.err


async def test_a_host_that_does_not_answer_gets_the_signal_too(
    wired: Terminal, broker: Mosquitto, tiny_host: TinyHost
) -> None:
    """The broker has the panic, the host is silent: SIGUSR1; the report of the host that came back is told."""
    async with StandIn(broker) as host, tiny_host:
        # an earlier panic's report is no answer
        await host.say(PANIC, panic_report(unsafe={"old": "old"}))
        running = await wired.start("panic", "--timeout", "20")
        await host.wait_heard("panic")
        await host.say(PANIC, panic_report(unsafe={"old": "still counting"}))
        assert await tiny_host.wait_signalled()
        await running.wait_out("STOP sent")
        await running.wait_err("stands")
        await host.say(PANIC, panic_report(took_ms=None))
        await host.say(PANIC, panic_report())
        finished = await running.end()
    assert finished.status == 0, finished.err
    assert "the host does not answer in 2.5 s; trying SIGUSR1" in finished.err
    assert "1 safe in 13 ms" in finished.out
    assert "old" not in finished.out


async def test_nobody_there_at_all(wired: Terminal, broker: Mosquitto) -> None:
    """No host on the broker and none here: status 4 with both said; without a broker either: 1."""
    silent = await wired.run("panic", "--timeout", "3")
    nothing = await wired.run("panic", "--broker", f"127.0.0.1:{free_port()}")
    assert (silent.status, nothing.status) == (4, 1)
    for finished in (silent, nothing):
        assert "no host runs here: there is no state/host.pid" in finished.err
        assert "Traceback" not in finished.err
    assert "no host was ever online there" in silent.err


async def test_a_broker_that_forbids_the_answer_still_takes_the_panic(terminal: Terminal) -> None:
    """A user who may hear nothing stops the house all the same; that the answer is not heard is said."""
    heard: list[bytes] = []

    async def refuse_subscriptions(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"\x20\x03\x00\x00\x00")
        await stream.receive()
        await stream.send(b"\x90\x06\x00\x01\x00\x87\x87\x87")
        heard.append(await stream.receive())
        await stream.send(b"\x40\x02\x00\x02")
        await until_closed(stream)

    async with scripted_broker(refuse_subscriptions) as port:
        finished = await terminal.run("panic", "--broker", f"127.0.0.1:{port}", "--timeout", "3")
    assert b'"action": "panic"' in heard[0]
    assert finished.status == 4
    assert "the answer may not be heard" in finished.err
    assert "no answer from the host in 3 s" in finished.err


async def test_state_dir_says_where(terminal: Terminal, tmp_path: Path) -> None:
    """STATE_DIR leads to the host's pid from any folder."""
    host = TinyHost(tmp_path / "elsewhere")
    async with host:
        finished = await terminal.run(
            "panic", "--broker", f"127.0.0.1:{free_port()}", STATE_DIR=str(tmp_path / "elsewhere")
        )
        assert await host.wait_signalled()
    assert finished.status == 4


async def test_ctrl_c_while_it_waits_is_quiet(wired: Terminal, broker: Mosquitto) -> None:
    """Status 130, no traceback; the panic went out before."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "panic"] = [ack("accepted")]
        running = await wired.start("panic")
        await host.wait_heard("panic")
        running.send(signal.SIGINT)
        finished = await running.end(10)
    assert finished.status == 130
    assert "Traceback" not in finished.err
