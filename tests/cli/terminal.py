"""A test drives `halloween-host` as a user does: a real process in a folder, with an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import trio

from tests import fast_path

__all__ = ["Finished", "Running", "Terminal"]

ROOT = Path(__file__).parents[2]
#: A process that does not end by itself in this time fails its test.
END_S = 30.0


@attrs.frozen
class Finished:
    """What a process left: its exit status (minus the signal that killed it), its stdout and stderr."""

    status: int
    out: str
    err: str


class Running:
    """A process under way; what it said so far is in `out` and `err`, read while you wait for something."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.out = ""
        self.err = ""
        self._news = trio.Event()
        self._out_closed = False

    async def wait_out(self, text: str, within_s: float = 20) -> None:
        """Return once `text` was seen on stdout, else fail with all that was said."""
        await self._wait_for(lambda: text in self.out, text, within_s)

    async def wait_err(self, text: str, within_s: float = 20) -> None:
        """Likewise for stderr."""
        await self._wait_for(lambda: text in self.err, text, within_s)

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def close_out(self) -> None:
        """Stop reading its stdout, as `head` does when it has seen enough."""
        assert self.process.stdout is not None
        await self.process.stdout.aclose()
        self._out_closed = True

    async def end(self, within_s: float = END_S) -> Finished:
        """What it left, once it has ended by itself."""
        with trio.move_on_after(within_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_all, "out")
                nursery.start_soon(self._read_all, "err")
            return Finished(await self.process.wait(), self.out, self.err)
        raise AssertionError(f"it did not end in {within_s} s; stdout:\n{self.out}\nstderr:\n{self.err}")

    async def _wait_for(self, seen: Callable[[], bool], text: str, within_s: float) -> None:
        with trio.move_on_after(within_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_all, "out")
                nursery.start_soon(self._read_all, "err")
                while not seen():
                    self._news = trio.Event()
                    await self._news.wait()
                nursery.cancel_scope.cancel()
        if not seen():
            raise AssertionError(f"{text!r} did not come in {within_s} s; stdout:\n{self.out}\nstderr:\n{self.err}")

    async def _read_all(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        if stream is None or (name == "out" and self._out_closed):
            return
        while piece := await stream.receive_some(65_536):
            setattr(self, name, getattr(self, name) + piece.decode(errors="replace"))
            self._news.set()
        self._news.set()


class Terminal:
    """`environ` is added to an environment that has no variable of ours; all that was started ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}
        self._started: list[trio.Process] = []

    async def run(self, *arguments: str, **environ: str) -> Finished:
        """Run it to its end."""
        running = await self.start(*arguments, **environ)
        return await running.end()

    async def start(self, *arguments: str, **environ: str) -> Running:
        """Start it; its stdout is a pipe."""
        return await self.start_on(subprocess.PIPE, *arguments, **environ)

    async def start_on(self, stdout: int, /, *arguments: str, **environ: str) -> Running:
        """Start it with this descriptor as its stdout."""
        return await self._start(subprocess.DEVNULL, stdout, arguments, environ)

    async def at_tty(self, *arguments: str, types: str = "", **environ: str) -> Finished:
        """Run it to its end on a terminal of 160 columns, with `types` typed ahead; `out` is what the terminal got."""
        master, slave = os.openpty()
        try:
            os.write(master, types.encode())
            environ = {"TERM": "xterm-256color", "COLUMNS": "160", **environ}
            running = await self._start(slave, slave, arguments, environ)
            os.close(slave)
            slave = -1
            with trio.fail_after(END_S):
                out = await trio.to_thread.run_sync(_read_all, master, abandon_on_cancel=True)
            finished = await running.end()
            return attrs.evolve(finished, out=out)
        finally:
            for descriptor in (master, slave):
                if descriptor >= 0:
                    os.close(descriptor)

    def write_worker(self, name: str, source: str, *, config: str | None = None) -> Path:
        """A prop's `worker.py`, its config beside it; the file's path."""
        backend = self.folder / "props" / name / "backend"
        backend.mkdir(parents=True)
        (backend / "worker.py").write_text(source)
        if config is not None:
            (backend / "config.yaml").write_text(config)
        return backend / "worker.py"

    async def aclose(self) -> None:
        """End whatever still runs."""
        for process in self._started:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    await stream.aclose()

    async def _start(self, stdin: int, stdout: int, arguments: tuple[str, ...], environ: dict[str, str]) -> Running:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "halloween_host", *arguments],
            cwd=self.folder,
            env=self._environment(environ),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return Running(process)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        ours = ("MQTT_", "WORKER_", "LOG_", "STATE_", "PRESENCE_", "PYTHON")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return clean | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"} | fast_path.CHOSEN | self.environ | more


def _read_all(descriptor: int) -> str:
    """All that came to a terminal, until its last writer has gone (EIO, as Linux says it; macOS says end of file)."""
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(descriptor, 65_536)
        except OSError:
            piece = b""
        if not piece:
            return b"".join(pieces).decode(errors="replace")
        pieces.append(piece)
