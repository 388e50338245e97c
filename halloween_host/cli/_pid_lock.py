"""While the host lives it holds `host.pid`, so that one host at a time has a STATE_DIR, and a STOP finds it without a broker."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from halloween_host.cli._pid_file import PID_FILE
from halloween_host.errors import StateError

__all__ = ["hold_pid_file"]

TRIES: Final = 10
TRY_EVERY_S: Final = 0.02

_log: Final = structlog.stdlib.get_logger()


@contextlib.contextmanager
def hold_pid_file(state_dir: Path) -> Iterator[None]:
    """Hold it while open. A folder that cannot be written costs the signal's way alone, with a warning.

    Raises:
        StateError: when another host holds it.
    """
    path = state_dir / PID_FILE
    try:
        state_dir.mkdir(0o700, parents=True, exist_ok=True)  # ours alone; one that exists stays as it is
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        _log.warning(
            f"cannot write {path} ({error.strerror}): halloween-host panic needs the broker, and a panic is forgotten at a restart"
        )
        yield
        return
    if not _locked(descriptor):
        os.close(descriptor)
        raise StateError(
            f"another host runs with {state_dir} as its STATE_DIR ({_holder(path)}): give each host its own"
        ) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "started": round(time.time(), 3)}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """`halloween-host panic` holds a shared lock for a moment to see whether we live: that is nobody's claim."""
    for _ in range(TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(TRY_EVERY_S)
    return False


def _holder(path: Path) -> str:
    try:
        return f"pid {json.loads(path.read_bytes())['pid']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its pid is not known"
