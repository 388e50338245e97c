"""The real host is a child process of the test: started, heard, signalled, and gone at its end whatever happens.

async with HostProcess("run", "--props", "props", environ={"MQTT_HOST": "127.0.0.1"}, folder=tmp_path) as host:
    await host.expect_log("online", "fogger")
    await host.stop()
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import trio

import halloween_host
from tests import fast_path

__all__ = ["HostProcess", "until"]

#: A hang guard, not a measure: the machine may be slow and busy.
PATIENCE_S = 30.0
#: Whatever a test is about, a log that holds one of these tells of a defect.
NEVER = ("was never awaited", "was never retrieved", "Exception ignored", "TrioInternalError", "ResourceWarning")
_SHOWN_LINES = 120


class HostProcess:
    """`python -m halloween_host <arguments>` in `folder`, with `environ` and nothing else of the test's own environment.

    `lines` is all it wrote so far, the log and what went to stdout, in order.
    """

    def __init__(self, *arguments: str, environ: Mapping[str, str], folder: Path) -> None:
        self.lines: list[str] = []
        self._command = [sys.executable, "-m", "halloween_host", *arguments]
        self._environ = _hermetic(environ)
        self._folder = folder
        self._process: trio.Process
        self._heard = trio.Event()
        self._silent = trio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    async def __aenter__(self) -> HostProcess:
        self._process = await trio.lowlevel.open_process(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self._environ,
            start_new_session=True,  # a group of its own, as a terminal gives: it is signalled and ended as a whole
        )
        # No nursery: its groups would wrap every failed assertion. It ends when the pipe does, which `__aexit__` sees to.
        trio.lowlevel.spawn_system_task(self._listen)
        return self

    async def __aexit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        with trio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            await self._process.wait()
            with trio.move_on_after(5):  # a child in a session of its own may hold the other end a little longer
                await self._silent.wait()
            assert self._process.stdout is not None
            await self._process.stdout.aclose()
            await self._silent.wait()
        if error is not None:
            error.add_note(self._story())
            return
        defects = [line for line in self.lines if any(sign in line for sign in NEVER)]
        assert not defects, f"{defects}\n{self._story()}"

    async def expect_log(self, *parts: str, within_s: float = PATIENCE_S, after: int = 0) -> str:
        """The first line from number `after` on that holds all `parts`, now or as soon as it is written.

        Raises:
            AssertionError: when none came in time, or the process ended without it.
        """
        with trio.move_on_after(within_s):
            while True:
                heard, ended = self._heard, self._silent.is_set()
                for line in self.lines[after:]:
                    if all(part in line for part in parts):
                        return line
                after = max(after, len(self.lines))
                if ended:
                    raise AssertionError(f"the host ended and never wrote {parts}")
                await heard.wait()
        raise AssertionError(f"the host did not write {parts} in {within_s:g} s")

    def matching(self, *parts: str) -> list[str]:
        """All lines so far that hold all `parts`."""
        return [line for line in self.lines if all(part in line for part in parts)]

    def signal(self, signum: signal.Signals) -> None:
        """To the host alone, as `kill` does."""
        os.kill(self.pid, signum)

    def interrupt_group(self) -> None:
        """SIGINT to the host and its children alike, as Ctrl-C on a terminal does."""
        os.killpg(self.pid, signal.SIGINT)

    def pause(self) -> None:
        """SIGSTOP: nothing happens in it until `resume`, while time goes on."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def wait(self, status: int | None = 0, within_s: float = PATIENCE_S) -> int:
        """Wait for the end and for all that was written before it; the exit status, which must be `status` unless that is None."""
        with trio.move_on_after(within_s) as scope:
            await self._process.wait()
        assert not scope.cancelled_caught, f"the host still runs {within_s:g} s later"
        with trio.move_on_after(5):
            await self._silent.wait()
        got = self._process.returncode
        assert got is not None
        assert status is None or got == status, f"exit status {got} instead of {status}"
        return got

    async def stop(self, within_s: float = PATIENCE_S) -> None:
        """SIGTERM, and it ends in good order."""
        self.signal(signal.SIGTERM)
        await self.wait(0, within_s)

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        with suppress(trio.ClosedResourceError):
            while piece := await self._process.stdout.receive_some(65_536):
                *whole, rest = (rest + piece).split(b"\n")
                self.lines += [line.decode(errors="backslashreplace") for line in whole]
                self._heard.set()
                self._heard = trio.Event()
        if rest:
            self.lines.append(rest.decode(errors="backslashreplace"))
        self._silent.set()
        self._heard.set()

    def _story(self) -> str:
        lines = [f"{line}{f' … {count} like it' * (count > 1)}" for line, count in _folded(self.lines)]
        hidden = max(0, len(lines) - _SHOWN_LINES)
        shown = (
            lines[: _SHOWN_LINES // 2] + [f"… {hidden} lines …"] * bool(hidden) + lines[_SHOWN_LINES // 2 + hidden :]
        )
        told = "\n  ".join(shown) or "(nothing)"
        return f"{' '.join(self._command[1:])} (status {self._process.returncode}) wrote:\n  {told}"


async def until(condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait for something that can only be looked at (a port, a foreign log file); `what` names it when it does not come."""
    with trio.move_on_after(within_s):
        while not condition():  # noqa: ASYNC110 (no event tells of it)
            await trio.sleep(0.02)
        return
    raise AssertionError(f"not in {within_s:g} s: {what}")


def _folded(lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Lines in a row that differ only in their numbers are shown once."""
    for _, group in itertools.groupby(lines, key=lambda line: re.sub(r"\d+", "#", line)):
        alike = list(group)
        yield alike[0], len(alike)


def _hermetic(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` over what no process can do without; the package under test, and its fast path or none, are the test's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    package = Path(halloween_host.__file__).parents[1]
    return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": str(package), **fast_path.CHOSEN, **environ}
