"""An operator at a machine whose systemd runs the host: a line for each thing that holds, and `all well` at the end.

It runs in the container of `scripts/unit-test`, by Debian's own Python, as root.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

UNIT: Final = "halloween-host"
HOST: Final = "/opt/halloween/.venv/bin/halloween-host"
STATE: Final = Path("/var/lib/private/halloween-host")
#: Seconds that anything may take here.
PATIENCE_S: Final = 60.0
ALL: Final = "6 workers: 6 online; broker localhost:1883"
#: Both watchdogs in a hurry.
OVERRIDE: Final = "[Service]\nEnvironment=WATCHDOG_EXIT=3\nWatchdogSec=8\n"
PROPS: Final = {
    "blocker": """\
import time

from halloween_host import BaseWorker


class Worker(BaseWorker):
    async def do_block(self, arg: float):
        time.sleep(arg)
""",
    "valve": """\
import os
from pathlib import Path

from halloween_host import BaseWorker


class Worker(BaseWorker):
    isolate = True

    async def safe(self):
        Path(os.environ["STATE_DIR"], "closed").touch()
""",
}


def run(*command: str) -> str:
    """What it prints; whatever its status."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.stdout + done.stderr


def shown(name: str) -> str:
    """A property of the unit."""
    return run("systemctl", "show", UNIT, "--value", "--property", name).strip()


def journal(*options: str) -> str:
    return run("journalctl", "--unit", UNIT, "--no-pager", "--boot", "--output=cat", *options)


def processes() -> list[str]:
    """The host's own and its isolated worker's: command lines."""
    return [line for line in run("ps", "-e", "-o", "args").splitlines() if HOST in line]


def holds(what: str, true: Callable[[], bool]) -> None:
    """Wait until it is true.

    Raises:
        SystemExit: when it is not, with the end of the journal.
    """
    end = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end:
            status = run("systemctl", "status", "--no-pager", UNIT)
            raise SystemExit(f"NOT: {what}\n{status}\n{journal()}")
        time.sleep(0.2)
    sys.stdout.write(f"holds: {what}\n")


def journal_of_systemd() -> str:
    return run("journalctl", "--no-pager", "--boot", "--output=cat", f"UNIT={UNIT}.service")


def started_again(what: str, pid: str) -> None:
    holds(f"{what}: systemd has started it again", lambda: shown("MainPID") not in ("0", pid))
    holds("all are online again, and `systemctl status` says so", lambda: shown("StatusText") == ALL)
    holds("the isolated worker has its leash and its process, and no other is left", lambda: len(processes()) == 3)


def _private(folder: os.stat_result) -> bool:
    return folder.st_uid > 0 and not folder.st_mode & 0o077


def main() -> None:
    """Start, kill, panic, block, stop."""
    drop_in = Path(f"/run/systemd/system/{UNIT}.service.d/override.conf")
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(OVERRIDE)
    for prop_id, source in PROPS.items():
        worker = Path(f"/opt/halloween/props/{prop_id}/backend/worker.py")
        worker.parent.mkdir(parents=True)
        worker.write_text(source)
    run("systemctl", "daemon-reload")

    run("systemctl", "start", UNIT)
    holds("`systemctl start` returns once the host is up (Type=notify)", lambda: shown("SubState") == "running")
    holds("all workers are online, and `systemctl status` says so", lambda: shown("StatusText") == ALL)
    holds("its state belongs to a user of its own, and is closed to others", lambda: _private(STATE.stat()))

    pid = shown("MainPID")
    run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=main", UNIT)
    started_again("SIGKILL", pid)
    holds("the isolated worker made its prop safe before it ended", (STATE / "closed").exists)

    run("systemctl", "kill", "--signal=SIGUSR1", UNIT)
    holds(
        "SIGUSR1 to all processes of the unit is one panic",
        lambda: shown("StatusText").startswith("6 workers: 6 offline"),
    )
    holds("it says so once, as an error", lambda: journal("--priority=err").count("PANIC (signal)") == 1)
    holds("what is no error is none in the journal", lambda: "online" not in journal("--priority=err"))
    pid = shown("MainPID")
    run("systemctl", "kill", "--signal=SIGKILL", "--kill-whom=main", UNIT)
    holds("SIGKILL: systemd has started it again", lambda: shown("MainPID") not in ("0", pid))
    holds("the latch holds over that", lambda: "PANIC by signal" in run(HOST, "status"))
    run(HOST, "rearm")
    holds("`rearm` starts all", lambda: shown("StatusText") == ALL)

    pid = shown("MainPID")
    run(HOST, "send", "blocker", "block", "20")
    holds("who blocks is named", lambda: "blocks the host and all other workers in do_block()" in journal())
    holds("the host ends itself by WATCHDOG_EXIT", lambda: "the event loop has stood still for 3 s" in journal())
    started_again("status 70", pid)

    pid = shown("MainPID")
    os.kill(int(pid), signal.SIGSTOP)
    holds("systemd's own watchdog ends a host that is stopped", lambda: "Watchdog timeout" in journal_of_systemd())
    started_again("Watchdog", pid)

    run("systemctl", "stop", UNIT)
    holds(
        "`systemctl stop` ends it in good order", lambda: journal().splitlines()[-3].endswith("stopped in good order")
    )
    holds("systemd calls that a success", lambda: (shown("Result"), shown("SubState")) == ("success", "dead"))
    holds("no process is left", lambda: not processes())
    sys.stdout.write("all well\n")


if __name__ == "__main__":
    main()
