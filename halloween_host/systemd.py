"""systemd is told that the host is up, lives, and stops: sd_notify(3), whose protocol is a datagram of lines `NAME=value`.

No library: `sdnotify` has not been touched since 2017 and `systemd-python` needs a compiler, for the lines of `say`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import trio

__all__ = ["VARIABLES", "Systemd"]

#: What systemd tells a service by; nobody whom the host starts is to speak for it.
VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
#: Seconds between two looks at what `systemctl status` is to show: while it changes, and once it has not for ten looks.
NEWS_S: Final = 1.0
STATUS_S: Final = 10.0
LOOKS: Final = 10


class Systemd:
    """Says nothing to nobody where `environ` names no NOTIFY_SOCKET."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # the abstract namespace (unix(7))
            self._address = f"\0{self._address[1:]}"
        self._watchdog_s = _watchdog_s(environ)

    @property
    def listens(self) -> bool:
        return bool(self._address)

    def say(self, *lines: str) -> None:
        """As ``say("READY=1", "STATUS=12 workers")``. Never waits and never raises: a line that does not arrive is lost."""
        if not self._address:
            return
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(errors="backslashreplace"), self._address)

    async def run(self, status: Callable[[], str]) -> None:
        """Say `status` when it changed, and that we live: a task of the loop, so that a blocked loop is a silent one."""
        if not self._address:
            return
        said, looks = None, 0
        while True:
            lines = ["WATCHDOG=1"] if self._watchdog_s is not None else []
            if (now := status()) != said:
                said, looks = now, 0
                lines.append(f"STATUS={now}")
            if lines:
                self.say(*lines)
            looks += 1
            pause_s = NEWS_S if looks <= LOOKS else STATUS_S
            await trio.sleep(min(pause_s, self._watchdog_s or pause_s))


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Half of the unit's `WatchdogSec=`, as sd_watchdog_enabled(3) advises; None: it has none, or another process has it."""
    try:
        microseconds, pid = int(environ.get("WATCHDOG_USEC", "")), environ.get("WATCHDOG_PID")
        return microseconds / 2e6 if microseconds > 0 and (not pid or int(pid) == os.getpid()) else None
    except ValueError:
        return None
