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

from halloween_host.systemd import LOOKS, NEWS_S, STATUS_S, Systemd
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


async def test_it_is_told_what_changed(manager: Manager, tmp_path: Path, autojump_clock: MockClock) -> None:
    """A second later while things change, ten seconds later once they rest, and each change once."""
    status = ["one"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")}).run, lambda: status[0])
        for line in ("one", "two", "three"):
            status[0] = line
            await trio.sleep(NEWS_S + 0.1)
            assert manager.heard() == [f"STATUS={line}"]
        await trio.sleep(LOOKS * NEWS_S + 2 * STATUS_S)
        assert manager.heard() == []
        status[0] = "four"
        await trio.sleep(STATUS_S)
        assert manager.heard() == ["STATUS=four"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("usec", "pid", "signs"),
    [("12000000", os.getpid(), 9), ("12000000", 1, 0), ("often", os.getpid(), 0)],
    ids=["ours", "another process's", "no number"],
)
async def test_it_is_told_that_we_live(
    manager: Manager, tmp_path: Path, autojump_clock: MockClock, usec: str, pid: int, signs: int
) -> None:
    """WATCHDOG=1 twice in the unit's time at least, where it is this process that is watched."""
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": usec, "WATCHDOG_PID": str(pid)}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Systemd(environ).run, lambda: "well")
        await trio.sleep(LOOKS * NEWS_S + 0.5)
        manager.heard()
        await trio.sleep(54.5)
        assert manager.heard() == ["WATCHDOG=1"] * signs
        nursery.cancel_scope.cancel()


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
