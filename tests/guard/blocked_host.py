"""A process as a host is when a worker blocks its event loop: it runs the guard, and its main thread never comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

import trio

from tests import fast_path

__all__ = ["BlockedHost"]

_PROGRAM: Final = """
import ctypes, os, sys, threading, time
from functools import partial
from pathlib import Path
import trio
from halloween_host.cli._leaving import leave
from halloween_host.guard import Guard
from halloween_host.latch import Latch
from halloween_host.logs import configure_logging
from halloween_host.settings import BrokerSettings

name, port, state, how = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
worker = {"__name__": "props.fogger.backend.worker", "time": time, "ctypes": ctypes, "os": os}
exec(compile('''
def sleep():
    time.sleep(30)
def spin():
    while True:
        pass
def read():  # C code that no signal brings back to Python
    libc = ctypes.CDLL(None)
    libc.read(os.pipe()[0], ctypes.create_string_buffer(1), 1)
def nothing():
    pass
''', "props/fogger/backend/worker.py", "exec"), worker)

async def block_in_finally():
    try:
        await trio.sleep_forever()
    finally:
        worker["sleep"]()

async def main():
    async with trio.open_nursery() as nursery:
        def hand_over(request):
            print("taken", request.by, flush=True)
            if how == "finally":
                nursery.cancel_scope.cancel()
        broker = BrokerSettings(host="127.0.0.1", port=port, protocol="5")
        with Guard(broker, Latch(state), hand_over, client_id=name, leave=leave) as guard:
            with trio.move_on_after(20 if os.environ.get("LINKED") else 0):
                while not guard.subscribed:
                    await trio.sleep(0.01)
            print("up", flush=True)
            if how == "finally":
                await block_in_finally()
            if how == "flood":  # until the pipe of stderr is full, and whoever writes a line waits for ever
                while True:
                    os.write(2, b"." * 4096)
            worker[how]()
            await trio.sleep_forever()

configure_logging("INFO", "json")
trio.run(main)
"""


class BlockedHost:
    """Runs while it is open. `how` the main thread blocks: sleep, spin, read (in C), finally, flood (the log), nothing.

    `port` of the broker; with `linked` it blocks only once its guard is subscribed.
    """

    def __init__(
        self, name: str, port: int, state: Path, how: str, *, linked: bool = True, reads_log: bool = True
    ) -> None:
        self.state = state
        self.log = b""
        self._arguments = (name, str(port), str(state), how)
        self._environ = {"LINKED": "1"} if linked else {}
        self._reads_log = reads_log

    async def __aenter__(self) -> Self:
        self._process = await trio.lowlevel.open_process(
            [sys.executable, "-c", _PROGRAM, *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": str(Path(__file__).parents[2]), **fast_path.CHOSEN, **self._environ},
        )
        await self.says("up")
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._process.kill()
        with trio.CancelScope(shield=True):
            await self._process.wait()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                await stream.aclose()

    def signal(self, signum: int = signal.SIGUSR1) -> None:
        self._process.send_signal(signum)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def says(self, word: str) -> str:
        """The next of its lines, which starts so."""
        assert self._process.stdout is not None
        with trio.fail_after(30):
            line = b""
            while not line.endswith(b"\n"):
                piece = await self._process.stdout.receive_some(1)
                assert piece, f"it ended with {await self.wait()}: {self.log!r}"
                line += piece
        text = line.decode().rstrip()
        assert text.startswith(word), text
        return text

    async def wait(self) -> int:
        """Its exit status; its log is in `log` then."""
        assert self._process.stderr is not None
        with trio.fail_after(30):
            if self._reads_log:
                async for piece in self._process.stderr:
                    self.log += piece
            return await self._process.wait()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log so far, a JSON object a line."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith(b"{")]
