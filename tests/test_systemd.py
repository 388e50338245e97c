"""systemd hears that the host is up, that its loop turns, what it does and that it stops; where there is none, nobody hears a thing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from halloween_host.systemd import STATUS_S, Systemd
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

UNIT: Final = Path(__file__).parents[1] / "contrib" / "halloween-host.service"
WORKER: Final = """
import os, time
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def start(self):
        await super().start()
        print("told", sorted(name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG_"))))

    async def do_block(self, arg):
        time.sleep(float(arg))
        self.telemetry("over", 1)
"""


class Manager:
    """What systemd is to a service: a datagram socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """The lines since the last time."""
        lines = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    async def hear(self, start: str, heard: list[str]) -> None:
        """Until a line begins so; all lines go to `heard`."""
        with trio.fail_after(30):
            while not any(line.startswith(start) for line in heard):
                await trio.sleep(0.01)
                heard += self.heard()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def test_a_line_goes_to_the_socket(manager: Manager, tmp_path: Path) -> None:
    """Lines of one word together, in one datagram."""
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")}).say("READY=1", "STATUS=well")
    assert manager.heard() == ["READY=1", "STATUS=well"]


@pytest.mark.skipif(not Path("/proc").exists(), reason="abstract sockets are Linux's")
def test_an_abstract_socket(tmp_path: Path) -> None:
    """Its name begins with @ where a NUL byte is meant."""
    manager = Manager(f"\0{tmp_path}")
    Systemd({"NOTIFY_SOCKET": f"@{tmp_path}"}).say("READY=1")
    assert manager.heard() == ["READY=1"]
    manager.close()


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "x" * 300, "with\0nul"])
def test_nobody_there_is_no_error(address: str) -> None:
    """Whatever the variable holds."""
    Systemd({"NOTIFY_SOCKET": address}).say("READY=1")


async def test_it_is_told_what_changed_and_that_we_live(
    manager: Manager, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """WATCHDOG=1 twice in the unit's time; without one, a look every ten seconds and a word only when there is news."""
    status = ["one"]
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    watched = {**environ, "WATCHDOG_USEC": "12000000", "WATCHDOG_PID": str(os.getpid())}
    for variables, heard in (
        (environ, ["STATUS=one", "STATUS=two"]),
        ({**watched, "WATCHDOG_PID": "1"}, ["STATUS=one", "STATUS=two"]),
        ({**watched, "WATCHDOG_USEC": "often"}, ["STATUS=one", "STATUS=two"]),
        (watched, ["WATCHDOG=1", "STATUS=one", *["WATCHDOG=1"] * 3, "STATUS=two", "WATCHDOG=1"]),
    ):
        status[0] = "one"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Systemd(variables).run, lambda: status[0])
            await trio.sleep(STATUS_S + 3)
            status[0] = "two"
            await trio.sleep(STATUS_S + 5)
            nursery.cancel_scope.cancel()
        assert manager.heard() == heard


async def test_a_hosts_life(manager: Manager, tmp_path: Path, broker: Mosquitto) -> None:
    """READY once the workers are being started, silence while one blocks, STOPPING at the signal; no child speaks for it."""
    folder = tmp_path / "haunt"
    folder.mkdir()
    haunt = Haunt(folder)
    haunt.prop("coffin", WORKER)
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
    async with broker.listen("halloween/coffin/#") as listener, haunt.host(broker, **environ) as host:
        heard: list[str] = []
        await manager.hear("STATUS=1 workers: 1 online; broker 127.0.0.1:", heard)
        assert heard[0] == "READY=1"
        assert "WATCHDOG=1" in heard
        await broker.publish("halloween/coffin/cmd", "block 2")
        await listener.expect(lambda line: "status/error blocks the host" in line)
        manager.heard()
        await listener.expect("halloween/coffin/telemetry/over 1")
        assert manager.heard().count("WATCHDOG=1") <= 1, "said while the loop was blocked"
        host.signal(signal.SIGTERM)
        await manager.hear("STOPPING=1", [])
        await host.wait(0)
        assert host.matching("told []")
    assert not host.matching("WATCHDOG_USEC")


def test_the_unit_is_one(tmp_path: Path) -> None:
    """systemd takes every line of it, and calls it little exposed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    text = UNIT.read_text().replace("/opt/halloween/.venv/bin/halloween-host", "/bin/true")
    (tmp_path / UNIT.name).write_text(text.replace("/opt/halloween", "/tmp"))
    unit = str(tmp_path / UNIT.name)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, [])
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    assert done.returncode == 0, done.stdout
