"""A container of the image, as docker would run it: the image's own command, user, environment and HEALTHCHECK.

async with Container(image, {"MQTT_HOST": "127.0.0.1"}) as container:
    assert await container.health() == 0
    container.signal(signal.SIGTERM)
    assert await container.wait() == 0
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

__all__ = ["Container"]


class Container:
    """Runs on this machine's network by buildah's chroot isolation, which needs neither a daemon nor namespaces."""

    def __init__(self, image: str, environ: Mapping[str, str]) -> None:
        self._image = image
        self._environ = environ
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 # closed by __aexit__
        self._config: dict[str, Any]
        self._name: str
        self._process: trio.Process

    async def __aenter__(self) -> Container:
        self._config = json.loads(await _buildah("inspect", "--type", "image", self._image))["Docker"]["config"]
        self._name = await _buildah("from", self._image)
        self._process = await trio.lowlevel.open_process(
            self._command(self._config["Cmd"]), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        return self

    async def __aexit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        with trio.CancelScope(shield=True):
            for pid in [*self._descendants(), self._process.pid]:
                _kill(pid)
            await self._process.wait()
            await _buildah("rm", self._name)
        if error is not None:
            self._log.seek(0)
            error.add_note("the container wrote:\n" + self._log.read().decode(errors="replace"))
        self._log.close()

    async def health(self) -> int:
        """The status of the HEALTHCHECK command, run inside; it must come within the time that the image allows it."""
        check = self._config["Healthcheck"]
        kind, *command = check["Test"]
        assert kind == "CMD"
        nanoseconds = int(check["Timeout"])
        with trio.fail_after(nanoseconds / 1e9):
            result = await trio.run_process(self._command(command), check=False, stdin=b"", capture_stdout=True)
        return result.returncode

    @property
    def host_pid(self) -> int:
        """The process that docker would make number 1; what stands above it, with its command line, is buildah's."""
        for pid in self._descendants():
            program, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if not program.startswith(b"buildah") and any(each.endswith(b"/halloween-host") for each in arguments):
                return pid
        raise AssertionError("no process of the host in the container")

    @property
    def host_user_id(self) -> int:
        return Path(f"/proc/{self.host_pid}").stat().st_uid

    def signal(self, signum: signal.Signals) -> None:
        os.kill(self.host_pid, signum)

    async def wait(self) -> int:
        """The exit status of the image's command, once it ended."""
        return await self._process.wait()

    def _command(self, inner: Sequence[str]) -> list[str]:
        environ = [option for name, value in self._environ.items() for option in ("--env", f"{name}={value}")]
        return ["buildah", "run", "--isolation", "chroot", "--network", "host", *environ, self._name, "--", *inner]

    def _descendants(self) -> list[int]:
        found: list[int] = []
        parents = [self._process.pid]
        while parents:
            parent = parents.pop()
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                parents += [int(pid) for pid in children.read_text().split()]
            found.append(parent)
        return found[1:]


async def _buildah(*arguments: str) -> str:
    result = await trio.run_process(["buildah", *arguments], capture_stdout=True)
    return result.stdout.decode().strip()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
