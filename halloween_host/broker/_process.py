"""One life of a broker process: it ends with this call, and takes its temporary folder along."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import attrs
import structlog
import trio

from halloween_host.broker._leash import GRACE_S
from halloween_host.broker._probe import probe
from halloween_host.broker._programs import Program

__all__ = ["START_S", "Ending", "run_broker"]

START_S = 15.0
_POLL_S = 0.03
_MAX_LOG_LINE_BYTES = 16_384
_log = structlog.stdlib.get_logger()


@attrs.frozen
class Ending:
    """How a broker ended: whether it ever answered, how long it did (seconds), and why it ended, for people."""

    ready: bool
    lasted_s: float
    reason: str


async def run_broker(program: Program, host: str, port: int, *, ready: Callable[[str], None]) -> Ending:
    """Start `program` and stay until it ends; ``ready("mosquitto 2.0.11")`` is called once it answered a CONNECT.

    One that does not answer in `START_S` seconds is ended. When we are cancelled it is ended too, by SIGTERM and after
    2 s SIGKILL, and we return then.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="halloween-broker-"))
    except OSError as error:
        return Ending(False, 0.0, f"no temporary folder: {error}")
    try:
        process = await _start(program, folder)
        try:
            return await _Life(program, process).live(host, port, ready)
        finally:
            await _end(process)
    except OSError as error:
        return Ending(False, 0.0, f"it cannot be run: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _start(program: Program, folder: Path) -> trio.Process:
    config = folder / f"{program.name}{program.config_suffix}"
    config.write_text(program.config)
    leash = (sys.executable, "-I", "-S", str(Path(__file__).with_name("_leash.py")), str(os.getpid()), str(folder))
    return await trio.lowlevel.open_process(
        [*leash, *program.command, str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


class _Life:
    def __init__(self, program: Program, process: trio.Process) -> None:
        self._program = program
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=20)
        self._version = program.version
        self._told_version = trio.Event()
        self._ready_at = math.inf
        self._failure: str | None = None
        if self._version is not None:
            self._told_version.set()

    async def live(self, host: str, port: int, ready: Callable[[str], None]) -> Ending:
        log_ended = trio.Event()
        async with trio.open_nursery() as nursery:
            self._scope = nursery.cancel_scope
            nursery.start_soon(self._read_log, log_ended)
            nursery.start_soon(self._become_ready, host, port, ready)
            await self._process.wait()
            _kill_orphan(self._process)
            with trio.move_on_after(1):
                await log_ended.wait()
            nursery.cancel_scope.cancel()
        lasted_s = max(0.0, trio.current_time() - self._ready_at)
        return Ending(self._ready_at < math.inf, lasted_s, self._reason())

    async def _become_ready(self, host: str, port: int, ready: Callable[[str], None]) -> None:
        with trio.move_on_after(START_S):
            while (await probe(host, port)).kind != "broker":  # noqa: ASYNC110 (no event tells that a child listens)
                await trio.sleep(_POLL_S)
            with trio.move_on_after(1):
                await self._told_version.wait()
            self._ready_at = trio.current_time()
            ready(f"{self._program.name} {self._version}" if self._version else self._program.name)
            return
        self._fail(f"it did not answer in {START_S:g} s")

    async def _read_log(self, ended: trio.Event) -> None:
        assert self._process.stderr is not None
        async for line in _lines(self._process.stderr):
            self._last_lines.append(line)
            _log.debug(line, broker=self._program.name)
            if self._program.version_line and (match := self._program.version_line.search(line)):
                self._version = match[1]
                self._told_version.set()
            failed = self._program.failure_line and self._program.failure_line.search(line)
            if failed and self._ready_at == math.inf:
                self._fail("it failed to start")
        ended.set()

    def _fail(self, reason: str) -> None:
        """It will never serve: give up on it, though its process lives."""
        self._failure = self._failure or reason
        self._scope.cancel()

    def _reason(self) -> str:
        status = self._process.returncode
        if self._failure is not None:
            reason = self._failure
        elif status is None:
            reason = "it was ended"
        elif status < 0 or status > 128:
            number = -status if status < 0 else status - 128
            names = {one.value: one.name for one in signal.Signals}
            reason = f"it was ended by {names.get(number, f'signal {number}')}"
        else:
            reason = f"it ended with status {status}"
        lines = [line.strip() for line in reversed(self._last_lines) if line.strip()]
        # mosquitto's "Error: Unknown configuration variable" has "Error found at …:3." after it
        complaint = next((line for line in lines if "Error: " in line), next(iter(lines), None))
        return f"{reason}; it said: {complaint}" if complaint else reason


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    """The stream's lines; one longer than `_MAX_LOG_LINE_BYTES` comes in pieces."""
    buffer = b""
    async for data in stream:
        *complete, buffer = (buffer + data).split(b"\n")
        if len(buffer) > _MAX_LOG_LINE_BYTES:
            complete, buffer = [*complete, buffer], b""
        for line in complete:
            yield line.decode(errors="replace")
    if buffer:
        yield buffer.decode(errors="replace")


async def _end(process: trio.Process) -> None:
    """Let go of the leash; who is not gone by then is killed with its whole group."""
    with trio.CancelScope(shield=True):
        await cast("trio.abc.SendStream", process.stdin).aclose()
        with trio.move_on_after(GRACE_S + 1):
            await process.wait()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await cast("trio.abc.ReceiveStream", process.stderr).aclose()


def _kill_orphan(process: trio.Process) -> None:
    """A leash that was killed left its broker behind, holding the port."""
    if process.returncode is not None and process.returncode < 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
