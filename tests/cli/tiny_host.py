"""A process that a signal finds as it finds a host: it holds the lock of `host.pid`, and writes the latch at SIGUSR1."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

import trio

__all__ = ["TinyHost"]

_PROGRAM: Final = """
import fcntl, json, os, pathlib, signal, sys, threading
folder = pathlib.Path(sys.argv[1])
if sys.argv[2] == "listens":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
file = (folder / "host.pid").open("w")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
file.write(json.dumps({"pid": os.getpid(), "started": 0.0}))
file.flush()
def wait():
    signal.sigwait({signal.SIGUSR1})
    (folder / "panic.json").write_text("{}")
    print("signalled", flush=True)
if sys.argv[2] == "listens":
    threading.Thread(target=wait).start()
print("up", flush=True)
signal.pause()
"""


class TinyHost:
    """Runs while it is open. `listens` is whether SIGUSR1 is waited for; `name` stands in its command line."""

    def __init__(self, folder: Path, *, listens: bool = True, name: str = "halloween_host") -> None:
        self.folder = folder
        self._arguments = (str(folder), "listens" if listens else "deaf", name)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", _PROGRAM, *self._arguments]
        self._process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        assert await self._says() == b"up\n"
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self.kill()
        with trio.CancelScope(shield=True):
            await self._process.wait()
            assert self._process.stdout is not None
            await self._process.stdout.aclose()

    def kill(self) -> None:
        """End it with SIGKILL: its pid file stays, its lock does not."""
        self._process.kill()

    async def wait_ended(self) -> int:
        """Its exit status."""
        with trio.fail_after(10):
            return await self._process.wait()

    async def wait_signalled(self) -> bool:
        """Return whether SIGUSR1 came, at its end or when it came."""
        return await self._says() == b"signalled\n"

    async def _says(self) -> bytes:
        assert self._process.stdout is not None
        said = b""
        with trio.fail_after(20):
            while not said.endswith(b"\n") and (piece := await self._process.stdout.receive_some(100)):
                said += piece
        return said
