"""SIGUSR1 to the host of this machine, found by `host.pid`: a STOP that needs no broker.

The host holds the file's lock while it lives, so a lock that can be had means that nobody is there. SIGUSR1 ends a
process that does not expect it, and pids are used again: what is not surely our host is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from halloween_host.errors import HalloweenHostError

__all__ = ["PID_FILE", "NoHostHere", "listens", "signal_host"]

PID_FILE: Final = "host.pid"


class NoHostHere(HalloweenHostError):
    """There is no host that a signal could reach; the text says how that was found out."""


def signal_host(state_dir: Path) -> int:
    """Send SIGUSR1 to the host whose state this is; its pid.

    Raises:
        NoHostHere: when there is none, when what runs there is not surely it, or when it is another user's.
    """
    path = state_dir / PID_FILE
    try:
        with path.open("rb") as file:
            _check_locked(file.fileno(), path)
            pid = _read_pid(file.read(), path)
            with _process(pid) as process:
                # Held now, by a process that we have a hold of: it cannot become another one under its pid any more.
                _check_locked(file.fileno(), path)
                _check_process(pid, path)
                _send(pid, process)
    except FileNotFoundError:
        raise NoHostHere(f"no host runs here: there is no {path}") from None
    except ProcessLookupError:
        raise NoHostHere(f"no host runs here: the process of {path} has ended") from None
    except PermissionError as error:
        who = f"cannot reach the host of {path} ({error.strerror})"
        raise NoHostHere(f"{who}: run this as the host's user, or as root") from None
    except OSError as error:
        raise NoHostHere(f"cannot read {path}: {error.strerror or error}") from None
    return pid


def _check_locked(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    raise NoHostHere(f"no host runs here: nobody holds {path}, a host that has ended left it")


def _read_pid(content: bytes, path: Path) -> int:
    try:
        pid = json.loads(content)["pid"]
    except (ValueError, KeyError, TypeError):
        pid = None
    if type(pid) is not int or pid < 1:
        raise NoHostHere(f"{path} holds no pid")
    return pid


@contextlib.contextmanager
def _process(pid: int) -> Iterator[int | None]:
    """A descriptor of the process, None where the system has none (macOS, Linux before 5.3)."""
    try:
        descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        raise
    except OSError:
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _send(pid: int, process: int | None) -> None:
    if process is not None and hasattr(signal, "pidfd_send_signal"):
        signal.pidfd_send_signal(process, signal.SIGUSR1)
    else:
        os.kill(pid, signal.SIGUSR1)


def _check_process(pid: int, path: Path) -> None:
    """Where there is a /proc to ask: it is a host, and SIGUSR1 is blocked or caught there (proc(5)), so cannot end it.

    A pid that was written inside a container is some stranger's outside of it, though the lock is seen from both.
    """
    process = Path("/proc") / str(pid)
    try:
        words, facts = (process / "cmdline").read_bytes(), (process / "status").read_text(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            raise NoHostHere(
                f"process {pid} of {path} cannot be seen from here; does the host run in a container?"
            ) from None
        return
    # by what it runs, not where it lies: any Python of /opt/halloween/.venv has that in its path
    if not any(b"halloween" in word.rpartition(b"/")[2] for word in words.split(b"\0")):
        raise NoHostHere(f"process {pid} of {path} is no host as seen from here; does the host run in a container?")
    if not listens(facts):
        raise NoHostHere(f"the host, process {pid} of {path}, does not listen for SIGUSR1 yet: it got none")


def listens(facts: str) -> bool:
    """Whether a /proc/PID/status says that the main thread blocks or catches SIGUSR1.

    The thread that waits for it by sigwait(3) shows it as neither while it waits: the main thread must do without.
    """
    lines = [line for line in facts.splitlines() if line.startswith(("SigBlk:", "SigCgt:"))]
    return any(int(line.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1 for line in lines)
