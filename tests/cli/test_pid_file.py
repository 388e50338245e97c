"""SIGUSR1 reaches the host whose state this is, and never a stranger: it would end him."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from halloween_host.cli._pid_file import NoHostHere, listens, signal_host
from tests.cli.tiny_host import TinyHost

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what a process expects is read from /proc")


async def test_the_host_that_holds_the_lock_gets_it(tmp_path: Path) -> None:
    """The pid is returned, the signal came."""
    async with TinyHost(tmp_path) as host:
        assert signal_host(tmp_path) == host.pid
        assert await host.wait_signalled()


async def test_a_file_that_nobody_holds_is_stale(tmp_path: Path) -> None:
    """Killed hosts leave the file; the lock went with them, whoever has the pid now."""
    async with TinyHost(tmp_path) as host:
        host.kill()
        await host.wait_ended()
        (tmp_path / "host.pid").write_text(json.dumps({"pid": os.getpid(), "started": 0}))
        with pytest.raises(NoHostHere, match="nobody holds"):
            signal_host(tmp_path)


@LINUX
async def test_a_stranger_under_the_hosts_pid_is_left_alone(tmp_path: Path) -> None:
    """As when the host wrote its pid inside a container: the lock is held, the process is somebody else's."""
    stranger = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])  # noqa: ASYNC220 (it is waited for by nobody)
    try:
        async with TinyHost(tmp_path):
            (tmp_path / "host.pid").write_text(json.dumps({"pid": stranger.pid}))
            with pytest.raises(NoHostHere, match="is no host as seen from here"):
                signal_host(tmp_path)
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@LINUX
async def test_a_host_that_is_not_up_yet_is_not_killed(tmp_path: Path) -> None:
    """Until it waits for SIGUSR1, the signal would end it without a latch."""
    async with TinyHost(tmp_path, listens=False):
        with pytest.raises(NoHostHere, match="does not listen for SIGUSR1 yet"):
            signal_host(tmp_path)


@pytest.mark.parametrize(
    ("facts", "heard"),
    [
        ("Name:\tpython\nSigBlk:\t0000000000000200\nSigCgt:\t0000000000000002\n", True),
        ("Name:\tpython\nSigBlk:\t0000000000000000\nSigCgt:\t0000000000000202\n", True),
        ("Name:\tpython\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001200\nSigCgt:\t0000000000000002\n", False),
        ("Name:\tpython\n", False),
    ],
)
def test_blocked_and_caught_are_heard(facts: str, heard: bool) -> None:
    """Bit 9 of proc(5)'s masks is SIGUSR1's; an ignored one is not heard."""
    assert listens(facts) == heard


@pytest.mark.parametrize(
    "content", [b"", b"7", b"[]", b"{}", b'{"pid": "7"}', b'{"pid": true}', b'{"pid": -1}', b"\xff"]
)
async def test_a_broken_file_is_said(tmp_path: Path, content: bytes) -> None:
    """Locked, but without a pid in it."""
    async with TinyHost(tmp_path) as host:
        (tmp_path / "host.pid").write_bytes(content)
        with pytest.raises(NoHostHere, match="holds no pid"):
            signal_host(tmp_path)
        assert host.pid


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    """Both are "no host runs here"; a folder in the file's place is one line, too."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NoHostHere, match="there is no"):
            signal_host(folder)
    (tmp_path / "host.pid").mkdir()
    with pytest.raises(NoHostHere, match="cannot read"):
        signal_host(tmp_path)
