"""What the host keeps on the disk is its user's alone: the folder 0700, every file in it 0600, whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from halloween_host.cli._pid_lock import hold_pid_file
from halloween_host.latch import Latch, PanicRecord
from tests.end_to_end.haunt import Haunt
from tests.mosquitto import Mosquitto

KEEPER = """
from halloween_host import BaseWorker

class Worker(BaseWorker):
    async def start(self):
        await super().start()
        self.store["guests"] = 7
"""


def modes(folder: Path) -> dict[str, int]:
    """Of the folder (".") and of all that is in it."""
    paths = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in paths}


async def test_a_host_that_ran_and_panicked(haunt: Haunt, broker: Mosquitto) -> None:
    """The pid file, the latch and the store, while it runs and after its end; the umask of most systems opens none of them."""
    haunt.prop("keeper", KEEPER)
    state = haunt.folder / "deep" / "state"
    before = os.umask(0o000)
    try:
        async with broker.listen("halloween/#") as listener, haunt.host(broker, STATE_DIR=str(state)) as host:
            await listener.expect("halloween/keeper/status/availability online", within_s=30)
            await broker.publish("halloween/worker_host/cmd", "panic")
            await listener.expect(lambda line: '"took_ms":null' not in line and '"active":true' in line)
            running = modes(state)
            await host.stop()
    finally:
        os.umask(before)
    assert {"host.pid", "panic.json"} <= running.keys()
    for seen in (running, modes(state)):
        assert seen.pop(".") == 0o700
        assert set(seen.values()) == {0o600}, seen


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Somebody meant it so; the files are closed all the same."""
    tmp_path.chmod(0o755)
    with hold_pid_file(tmp_path):
        assert Latch(tmp_path).engage(PanicRecord(0.0, "smoke", "cli"))
        assert modes(tmp_path) == {".": 0o755, "host.pid": 0o600, "panic.json": 0o600}


def test_the_latch_alone_makes_its_folder_closed(tmp_path: Path) -> None:
    """Also where it is the first who needs it."""
    assert Latch(tmp_path / "state").engage(PanicRecord(0.0, "smoke", "cli"))
    assert modes(tmp_path / "state")["."] == 0o700
