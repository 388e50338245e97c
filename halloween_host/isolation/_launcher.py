"""The launcher starts a worker's process, and a child is that process as the host has it: orders in, words and a log out.

What is started is a leash, which forks the worker (`leash`); both, and whatever the worker starts, are one process group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, cast

import attrs
import trio

from halloween_host.isolation._brief import Brief
from halloween_host.isolation._logs import Relay
from halloween_host.isolation._wire import decode, encode
from halloween_host.leash import ISOLATED, confinement
from halloween_host.loader import WorkerSpec
from halloween_host.program import Program
from halloween_host.settings import BrokerSettings, Settings

__all__ = ["Child", "Launcher"]

#: Seconds beyond `safe()` that a worker without a host may take to say its last words.
GRACE_S: Final = 2.0
#: Seconds that the rest of a process's log may take after its end.
LOG_S: Final = 0.5

_READ_BYTES: Final = 65_536


@attrs.frozen
class Launcher:
    """Starts processes of isolated workers. `client_id` is the host's."""

    program: Program
    props: Path
    builtins: tuple[Path, ...]
    settings: Settings
    broker: BrokerSettings
    client_id: str

    async def launch(self, spec: WorkerSpec, *, latched: str | None, restarts: int, restarted_for: str | None) -> Child:
        """Start a process for this worker.

        Raises:
            OSError: when it cannot be started.
        """
        brief = Brief(
            spec.prop_id,
            spec.name,
            spec.builtin,
            self.props,
            self.builtins,
            self.settings,
            self.broker,
            self.client_id,
            latched,
            restarts,
            restarted_for,
        )
        return await _start(self.program, brief, spec.terms.safe_timeout_s + GRACE_S)


async def _start(program: Program, brief: Brief, grace_s: float) -> Child:
    orders_in, orders = os.pipe()
    leash_in, leash = os.pipe()
    log, log_in = os.pipe()
    try:
        process = await trio.lowlevel.open_process(
            [*program.command, ISOLATED, brief.prop_id],
            stdin=orders_in,
            stdout=subprocess.PIPE,
            stderr=log_in,
            pass_fds=[leash_in],
            env={**program.environ, **confinement(leash_in, grace_s)},
            cwd=program.folder,
            start_new_session=True,  # a Ctrl-C at the terminal reaches the host alone
        )
    except BaseException:
        for ours in (orders, leash, log):
            os.close(ours)
        raise
    finally:
        for theirs in (orders_in, leash_in, log_in):
            os.close(theirs)
    child = Child(process, orders, leash, Relay(brief.prop_id, log))
    child.write(brief.encode())
    return child


class Child:
    """One process. `order` never waits; a process that does not read is killed by it."""

    def __init__(self, process: trio.Process, orders: int, leash: int, relay: Relay) -> None:
        #: The worker's own process, once it told.
        self.pid: int | None = None
        #: Whether it was asked to end.
        self.ending = False
        self.log = relay
        self._process = process
        self._orders = orders
        self._leash = leash
        os.set_blocking(orders, False)

    def order(self, kind: str, **facts: object) -> None:
        self.write(encode(kind, **facts))

    def write(self, data: bytes) -> None:
        try:
            if os.write(self._orders, data) < len(data):
                self.kill()
        except BlockingIOError:  # it has not read for 64 KiB
            self.kill()
        except OSError:  # it has ended
            return

    async def words(self) -> AsyncIterator[dict[str, Any]]:
        """What the process says, until it has ended."""
        rest = b""
        stream = cast("trio.abc.ReceiveStream", self._process.stdout)
        while data := await stream.receive_some(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield decode(line)

    async def wait(self) -> int:
        """Its exit status, as a shell has it: 128 + the signal's number when a signal ended the worker."""
        status = await self._process.wait()
        return status if status >= 0 else 128 - status

    def kill(self) -> None:
        """SIGKILL to all of the group, whatever is left of it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End what is left of it, and say the rest of its log."""
        with trio.CancelScope(shield=True):
            self.kill()
            await self._process.wait()
            for descriptor in (self._orders, self._leash):
                os.close(descriptor)
            await cast("trio.abc.ReceiveStream", self._process.stdout).aclose()
            await trio.to_thread.run_sync(self.log.join, LOG_S)
