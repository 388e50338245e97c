"""A broker on a leash ends when its host is gone, however the host went: SIGKILL too, on Linux and macOS, root or not.

    python -I -S _leash.py <host's pid> <temporary folder> <program> [argument …]

The host holds the other end of our stdin: when that closes, the broker gets SIGTERM, 2 s, SIGKILL. (Linux's
PR_SET_PDEATHSIG would not do: mosquitto, started by root, changes its user, and that clears it.) The parent's pid is
watched too, because a process that a worker forked may hold that end open. Broker and leash stand in a session of their
own, so that a Ctrl-C at the terminal reaches the host alone, which still has `offline` to publish. The temporary folder
goes with us.

Run by its path, with nothing but the standard library: up in 20 ms.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading

GRACE_S = 2.0
_PARENT_CHECK_S = 1.0


def main(host_pid: int, folder: str, command: list[str]) -> int:
    """Run `command` until it ends or the host is gone; its exit status, 128 + signal when a signal ended it."""
    try:
        try:
            broker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
        except OSError as error:
            sys.stderr.write(f"cannot run {command[0]}: {error}\n")
            return 127
        signal.signal(signal.SIGTERM, lambda *_: broker.terminate())
        threading.Thread(target=_watch, args=(broker, host_pid), daemon=True).start()
        status = broker.wait()
        return status if status >= 0 else 128 - status
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _watch(broker: subprocess.Popen[bytes], host_pid: int) -> None:
    while os.getppid() == host_pid:
        if select.select([sys.stdin], [], [], _PARENT_CHECK_S)[0]:
            break
    broker.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        broker.wait(GRACE_S)
    broker.kill()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
