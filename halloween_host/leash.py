"""An isolated worker's process has a leash as its parent, forked before anything is imported that one could do without.

The leash ends the worker when the host is gone, however the host went: SIGHUP first, so that it makes its prop safe, SIGKILL to
the whole group at its deadline. A thread of the worker's own would not do, since an extension may hold Python's lock (the GIL)
for ever; PR_SET_PDEATHSIG is Linux's alone, asks for no `safe()` and is lost at a change of user, so it is the second line: for
a leash that is killed together with the host.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from typing import Final

__all__ = ["CONFINED", "ISOLATED", "confinement", "fork_on_leash"]

#: The word on the command line of such a process; the prop's id follows, for whoever reads `ps`.
ISOLATED: Final = "isolated"
#: The environment's name for the leash: its descriptor, and the seconds that the worker has once the host is gone.
CONFINED: Final = "HALLOWEEN_HOST_CONFINED"

#: The host's pid is watched too: a process that another worker forked may hold the host's end of the pipe open.
PARENT_CHECK_S: Final = 1.0
_SIGNALLED: Final = 128
#: As <linux/prctl.h> has it.
_PR_SET_PDEATHSIG: Final = 1


def confinement(leash: int, grace_s: float) -> dict[str, str]:
    """What the environment of such a process says of its leash."""
    return {CONFINED: f"{leash} {grace_s:g}"}


def fork_on_leash(confined: str) -> None:
    """Return in the worker's process. This one stays behind as its leash, and exits as the worker did (128 + signal)."""
    descriptor, grace_s = confined.split()
    leash = int(descriptor)
    host = os.getppid()
    holder = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.close(leash)
        _die_with(holder)
        return
    try:
        os._exit(_hold(leash, host, worker, float(grace_s)))
    finally:
        os._exit(1)


def _die_with(holder: int) -> None:
    """Ask the kernel for SIGKILL once the leash is gone; only Linux has that (prctl(2))."""
    if sys.platform != "linux":
        return
    import ctypes

    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL)) or os.getppid() != holder:
        os._exit(1)


def _hold(leash: int, host: int, worker: int, grace_s: float) -> int:
    with open(os.devnull, "r+b") as nowhere:  # noqa: PTH123 (pathlib is half of what is imported here)
        for pipe in (0, 1):  # orders and words are the worker's alone
            os.dup2(nowhere.fileno(), pipe)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):  # systemd sends them to everybody
        signal.signal(signum, lambda *_: None)
    threading.Thread(target=_watch, args=(leash, host, worker, grace_s), daemon=True).start()
    _, status = os.waitpid(worker, 0)
    if _gone(leash, host, 0.0):
        os.killpg(0, signal.SIGKILL)  # what the worker started itself
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNALLED - code


def _watch(leash: int, host: int, worker: int, grace_s: float) -> None:
    while not _gone(leash, host, PARENT_CHECK_S):
        pass
    _send(worker, signal.SIGHUP)
    time.sleep(grace_s)
    _send(worker, signal.SIGKILL)  # it may have left the group
    os.killpg(0, signal.SIGKILL)


def _gone(leash: int, host: int, wait_s: float) -> bool:
    """Nothing is ever written to the leash: what it has to say is its end."""
    return os.getppid() != host or bool(select.select([leash], [], [], wait_s)[0])


def _send(worker: int, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signum)
