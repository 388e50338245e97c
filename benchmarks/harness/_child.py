"""A child process says what it measured as JSON objects, one a line of its standard output."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import psutil  # type: ignore[import-untyped]  # comes with amqtt, without stubs
import trio

from benchmarks.harness._rows import MeasurementError

#: How long a child that is no longer needed may take to end by SIGTERM.
END_S: Final = 2.0
PROFILER_END_S: Final = 20.0


class Child:
    """A running program; `async with Bench.child(...)` makes it and ends it."""

    def __init__(self, process: trio.Process, name: str, *, wrapped: bool) -> None:
        self._process = process
        self._name = name
        self._wrapped = wrapped
        self._rest = b""
        self._errors = b""
        self._said_all = trio.Event()

    @property
    def pid(self) -> int:
        """The program's own, also where a profiler started it."""
        inner = psutil.Process(self._process.pid).children() if self._wrapped else []
        return int(inner[0].pid) if inner else self._process.pid

    async def expect(self, key: str) -> Any:
        """The value of `key` in the next line that has it; the lines before are passed over.

        Raises:
            MeasurementError: with the end of its standard error when it ends first.
        """
        assert self._process.stdout is not None
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                said = json.loads(line) if line.startswith(b"{") else {}
                if key in said:
                    return said[key]
                continue
            more = await self._process.stdout.receive_some()
            if not more:
                code = await self._process.wait()
                with trio.move_on_after(1):  # a grandchild may hold the other pipe open
                    await self._said_all.wait()
                raise MeasurementError(f"{self._name} ended with {code} before {key!r}: {self.errors()}")
            self._rest += more

    async def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(line.encode() + b"\n")

    async def wait(self) -> int:
        """Wait until it ends; returns its exit status."""
        return await self._process.wait()

    def signal(self, signum: signal.Signals) -> None:
        os.kill(self.pid, signum)

    def errors(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._errors.decode(errors="replace").splitlines()[-12:])

    def cpu_s(self) -> float:
        """The CPU that it has used so far, user and system, of all its threads."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def rss_kib(self) -> float:
        return float(psutil.Process(self.pid).memory_info().rss / 1024)

    async def collect_errors(self) -> None:
        assert self._process.stderr is not None
        async for piece in self._process.stderr:
            self._errors = (self._errors + piece)[-20_000:]
        self._said_all.set()

    async def end(self) -> None:
        """SIGTERM, and SIGKILL when that did not help in time; a profiler is interrupted, so that it writes what it saw."""
        process = self._process
        if process.returncode is None:
            process.send_signal(signal.SIGINT if self._wrapped else signal.SIGTERM)
            with trio.move_on_after(PROFILER_END_S if self._wrapped else END_S):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            await pipe.aclose()


@asynccontextmanager
async def running(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], name: str, wrapped: bool = False
) -> AsyncIterator[Child]:
    """Run `command` for the length of the block; it never outlives it."""
    process = await trio.lowlevel.open_process(
        [os.fspath(word) for word in command], stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=cwd, env={**os.environ, **env}
    )
    child = Child(process, name, wrapped=wrapped)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.collect_errors)
            yield child
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await child.end()
