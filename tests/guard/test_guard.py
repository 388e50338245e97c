"""The guard hears the host's commands before anyone else, latches a panic first, and hands all over in their order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from halloween_host import topics
from halloween_host.commands import encode_command
from halloween_host.guard import BLOCKED, Guard, HostRequest, read_panic
from halloween_host.guard import _guard as guard_module
from halloween_host.latch import LATCH_FILE, Latch
from halloween_host.settings import BrokerSettings
from tests.certificates import make_certificates
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port


class Taken:
    """What Trio was handed, each with whether the latch stood on the disk by then."""

    def __init__(self, state: Path) -> None:
        self.requests: list[tuple[HostRequest, bool]] = []
        self.thread = threading.get_ident()
        self.left: list[int] = []
        self._file = state / LATCH_FILE
        self._came = trio.Event()

    def __call__(self, request: HostRequest) -> None:
        assert threading.get_ident() == self.thread
        self.requests.append((request, self._file.exists()))
        self._came.set()
        self._came = trio.Event()

    async def wait(self, count: int) -> list[HostRequest]:
        with trio.fail_after(20):
            while len(self.requests) < count:
                await self._came.wait()
        assert len(self.requests) == count
        return [request for request, _ in self.requests]


@asynccontextmanager
async def open_guard(
    port: int, state: Path, *, settled: bool = True, latch: Latch | None = None, **broker: Any
) -> AsyncIterator[tuple[Guard, Taken]]:
    """A guard whose process is not ended; `settled`: once it takes all commands."""
    taken = Taken(state)
    settings = BrokerSettings(host="127.0.0.1", port=port, **broker)
    latch = latch or Latch(state)
    with Guard(settings, latch, taken, client_id="haunt-guard", leave=taken.left.append) as guard:
        if settled:
            await until(lambda: guard.subscribed)
        yield guard, taken
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("guard", "mqtt", "latch"))]


async def until(true: Callable[[], bool]) -> None:
    """Threads have no event for Trio to wait on."""
    with trio.fail_after(20):
        while not true():  # noqa: ASYNC110
            await trio.sleep(0.005)


@pytest.fixture(autouse=True)
def soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "OVERLAP_S", 0.0)


@pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
async def test_commands_are_handed_over_in_their_order(broker: Mosquitto, tmp_path: Path, protocol: str) -> None:
    """As they are, in Trio's thread; what is no command too, so that it is refused where all are."""
    payloads = [f"restart coffin{number}" for number in range(50)] + ["", '{"no": "action"}', "\x00"]
    async with open_guard(broker.port, tmp_path, protocol=protocol) as (_, taken):
        for payload in payloads[:3]:
            await broker.publish(topics.HOST_COMMAND, payload)
        command = ["mosquitto_pub", *broker.client_options(), "-t", topics.HOST_COMMAND, "-q", "1", "-l"]
        await trio.run_process(command, stdin="\n".join(payloads[3:50]).encode())
        for payload in payloads[50:]:
            await broker.publish(topics.HOST_COMMAND, payload)
        requests = await taken.wait(len(payloads))
    assert [request.payload.decode() for request in requests] == payloads
    assert all(request.by == "mqtt" and not request.retained for request in requests)
    assert not (tmp_path / LATCH_FILE).exists()


async def test_a_panic_is_latched_before_it_is_handed_over(broker: Mosquitto, tmp_path: Path) -> None:
    """By MQTT, by a thread, by Trio's own thread, by SIGUSR1: each record says who and why; the first one stays."""
    ways: dict[str, Callable[[Guard], object]] = {
        "coffin": lambda guard: guard.panic("lid", "coffin"),
        "fogger": lambda guard: threading.Thread(target=guard.panic, args=("smoke", "fogger")).start(),
        "signal": lambda _: os.kill(os.getpid(), signal.SIGUSR1),
    }
    for by, panic in ways.items():
        state = tmp_path / by
        async with open_guard(broker.port, state, settled=False) as (guard, taken):
            panic(guard)
            (request,) = await taken.wait(1)
            assert taken.requests[0][1], "handed over before it was latched"
            assert request.by == by
            record = Latch(state).read()
            assert record is not None
            assert (record.by, record.reason) == (by, {"coffin": "lid", "fogger": "smoke", "signal": "SIGUSR1"}[by])
            assert abs(record.since - time.time()) < 30
            guard.panic("another", "crypt")
            assert (await taken.wait(2))[1].by == "crypt"
            assert Latch(state).read() == record
    async with open_guard(broker.port, tmp_path / "mqtt") as (guard, taken):
        await broker.publish(topics.HOST_COMMAND, encode_command("panic", {"reason": "kid", "by": "cli"}, id="p1"))
        (request,) = await taken.wait(1)
        assert taken.requests[0][1]
        assert read_panic(request.payload) == read_panic(
            encode_command("panic", {"reason": "kid", "by": "cli"}, id="p1")
        )
        record = Latch(tmp_path / "mqtt").read()
        assert record is not None
        assert (record.reason, record.by) == ("kid", "cli")


async def test_a_retained_command_is_marked_and_latches_nothing(broker: Mosquitto, tmp_path: Path) -> None:
    """One that waited at the broker, and under MQTT 5 a live one: both would come again at every connection."""
    await broker.publish(topics.HOST_COMMAND, "panic", retain=True)
    async with open_guard(broker.port, tmp_path) as (_, taken):
        await taken.wait(1)
        await broker.publish(topics.HOST_COMMAND, "panic again", retain=True)
        requests = await taken.wait(2)
        assert all(request.retained for request in requests)
        assert not (tmp_path / LATCH_FILE).exists()
        assert taken.left == []


async def test_while_the_host_itself_listens_the_guard_only_panics(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment after each SUBACK both connections hear everything: a panic may come twice, no other command does."""
    monkeypatch.setattr(guard_module, "OVERLAP_S", 1e9)
    async with open_guard(broker.port, tmp_path, settled=False) as (guard, taken):
        await until(lambda: "haunt-guard" in broker.log())
        await until(lambda: guard._client.subscribed)
        for payload in ("ping", "restart coffin", "panic now"):
            await broker.publish(topics.HOST_COMMAND, payload)
        (request,) = await taken.wait(1)
        assert read_panic(request.payload) is not None
        assert not guard.subscribed


async def test_the_host_listens_while_the_guard_has_no_connection(broker: Mosquitto, tmp_path: Path) -> None:
    """`subscribed` follows the connection; SIGUSR1 needs none."""
    async with open_guard(broker.port, tmp_path) as (guard, taken):
        broker.kill()
        await until(lambda: not guard.subscribed)
        os.kill(os.getpid(), signal.SIGUSR1)
        await taken.wait(1)
        broker.start()
        await until(lambda: guard.subscribed)


async def test_a_disk_that_hangs_does_not_hold_the_panic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latched in memory at once; handed over after half a second, though its file is still being written."""
    goes_on = threading.Event()
    fsync = os.fsync

    def hang(descriptor: int) -> None:
        assert goes_on.wait(20)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", hang)
    latch = Latch(tmp_path)
    async with open_guard(free_port(), tmp_path, settled=False, latch=latch) as (guard, taken):
        try:
            began = time.monotonic()
            guard.panic("slow card", "cli")
            await taken.wait(1)
            assert time.monotonic() - began < 1.5
            assert latch.engaged
            assert not (tmp_path / LATCH_FILE).exists()
        finally:
            goes_on.set()
        await until(lambda: Latch(tmp_path).read() is not None)
        await until(lambda: "latch" not in [each.name for each in threading.enumerate()])


async def test_a_process_without_threads_left_still_latches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that leaks threads takes the last one; then the latch is written without."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "latch":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with open_guard(free_port(), tmp_path, settled=False) as (guard, taken):
        guard.panic("leak", "cli")
        await taken.wait(1)
        assert taken.requests[0][1]


async def test_a_loop_that_does_not_turn_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``leave(70)``, once, and latched; it is not called for a loop that was merely busy for a while."""
    monkeypatch.setattr(guard_module, "PANIC_TAKEN_S", 0.5)
    async with open_guard(free_port(), tmp_path, settled=False) as (guard, taken):
        guard.panic("busy", "cli")
        time.sleep(0.3)  # noqa: ASYNC251 the loop is blocked
        await taken.wait(1)
        assert taken.left == []
        guard.panic("blocked", "cli")
        deadline = time.monotonic() + 20
        while not taken.left and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251 the loop is blocked
        assert taken.left == [BLOCKED]
        record = Latch(tmp_path).read()
        assert record is not None
        assert record.reason == "busy"


async def test_a_flood_of_host_commands_is_cut(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Trio takes none, so many wait at most; a panic behind them is handed over all the same."""
    monkeypatch.setattr(guard_module, "ROOM", 10)
    async with open_guard(broker.port, tmp_path) as (guard, taken):
        command = ["mosquitto_pub", *broker.client_options(), "-t", topics.HOST_COMMAND, "-q", "1", "-l"]
        flood = b"\n".join([b"ping"] * 100 + [b"panic"] * 100)
        subprocess.run(command, input=flood, check=True, timeout=20)  # noqa: ASYNC221 the loop is blocked meanwhile
        deadline = time.monotonic() + 20
        while not guard._latch.engaged and time.monotonic() < deadline:
            time.sleep(0.005)  # noqa: ASYNC251
        await until(lambda: any(read_panic(request.payload) for request, _ in taken.requests))
        # Once Trio has taken the pings there is room again, for panics that came late.
        payloads = [request.payload for request, _ in taken.requests]
        assert payloads[:10] == [b"ping"] * 10
        assert payloads.count(b"ping") == 10


async def test_when_trio_is_over_nothing_is_left_to_stop(tmp_path: Path) -> None:
    """A late panic of a thread that outlived the host raises nothing and ends no process."""
    async with open_guard(free_port(), tmp_path, settled=False) as (guard, taken):
        pass
    guard.panic("late", "coffin")
    assert taken.requests == []


async def test_a_user_and_tls_are_the_brokers(make_mosquitto: MakeMosquitto, tmp_path: Path) -> None:
    """The guard connects as the host does."""
    certificates = make_certificates(tmp_path)
    broker = make_mosquitto(users={"haunt": "boo"}, config_lines=certificates.listener)
    options: dict[str, Any] = {"username": "haunt", "password": "boo", "tls": True, "ca_file": certificates.ca}
    async with open_guard(broker.port, tmp_path / "state", **options) as (guard, _):
        assert guard.subscribed


def test_children_are_not_deaf_to_sigusr1(tmp_path: Path) -> None:
    """A subprocess and a forked child die of SIGUSR1 as any process does, and their signal is no panic of ours."""
    program = """
import os, signal, subprocess, sys, time
from pathlib import Path
import trio
from halloween_host.guard import Guard
from halloween_host.latch import Latch
from halloween_host.settings import BrokerSettings
async def main():
    with Guard(BrokerSettings(host="127.0.0.1", port=1), Latch(Path(sys.argv[1])), print, client_id="x", leave=os._exit):
        child = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)"])
        assert child.wait(10) == -signal.SIGUSR1, child.returncode
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGUSR1
        assert not Latch(Path(sys.argv[1])).engaged
    assert not list(Path(sys.argv[1]).iterdir())
    os.kill(os.getpid(), signal.SIGUSR1)  # and with the guard gone the process is any other too
trio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGUSR1, done.stderr.decode()
