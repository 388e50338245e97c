"""A disk that is full, read-only or held degrades who stores, with one line; memory keeps all of it until it can be written."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from halloween_host.store import DATABASE, Stores
from tests.store.conftest import Disk, Open
from tests.store.listener import Heard, stored, wait_for

pytestmark = pytest.mark.usefixtures("impatient")


def check_degraded(heard: Heard, stores: Stores, file: Path, why: str) -> None:
    """One line, one word to each worker who stores, and not to the others; memory has all."""
    wait_for(lambda: heard.failures and heard.reasons, "the line")
    kept = "what workers store is kept in memory until it can be written"
    assert heard.failures == [f"{file}: {why}; {kept}"]
    assert heard.reasons == {"coffin": f"what it stores is in memory alone: {file}: {why}"}
    tries: Any = stores._journal
    before = tries._tries
    for n in range(50):
        stores.of("coffin")["n"] = n
    stores.of("fogger")["late"] = "x"  # degraded at its first write, not at the next try
    assert heard.reasons["fogger"] == heard.reasons["coffin"]
    wait_for(lambda: tries._tries > before + 2, "more tries")
    assert len(heard.failures) == 1
    assert heard.degradations == 2
    assert stores.of("coffin")["n"] == 49


def check_recovered(heard: Heard, stores: Stores, file: Path) -> None:
    """One line, every worker is well again, and the file holds all that was ever stored."""
    wait_for(lambda: heard.recoveries, "the recovery")
    assert heard.recoveries == [f"{file} is well again: all that was stored is on the disk"]
    assert heard.reasons == {"coffin": None, "fogger": None}
    assert stored(file, "coffin")["n"] == "49"
    assert stored(file, "fogger") == {"late": '"x"'}
    stores.of("coffin")["after"] = 1
    assert stores.close(5)
    assert stored(file, "coffin")["after"] == "1"
    assert len(heard.failures) == 1


@pytest.mark.parametrize("when", ["from the start", "in the night"])
def test_a_full_disk(disk: Disk, heard: Heard, open_stores: Open, when: str) -> None:
    """Room is made, and all is written."""
    file = disk.folder / DATABASE
    stores = open_stores(at=file)
    if when == "in the night":
        stores.of("coffin")["before"] = 1
        wait_for(lambda: stored(file, "coffin"), "the row")
    disk.fill()
    stores.of("coffin")["big"] = "x" * 30_000
    check_degraded(heard, stores, file, "the disk is full: make room")
    disk.empty()
    check_recovered(heard, stores, file)


@pytest.mark.parametrize("ended", ["well", "by a kill"])
def test_a_read_only_disk(disk: Disk, heard: Heard, open_stores: Open, ended: str) -> None:
    """What stands there is read, also what a killed host left in the -wal; who only reads is not degraded."""
    file = disk.folder / DATABASE
    if ended == "well":
        before = open_stores(at=file)
        before.of("coffin")["best"] = 3
        assert before.close(5)
    else:
        leave_a_wal(file)
    disk.allow("ro")
    stores = open_stores(at=file)
    assert stores.of("coffin")["best"] == 3
    assert heard.failures == []
    stores.of("coffin")["n"] = 0
    wait_for(lambda: heard.failures, "the line")
    why = heard.failures[0].removeprefix(f"{file}: ").partition(";")[0]
    assert why.startswith(("it is read-only", "it cannot be opened"))
    check_degraded(heard, stores, file, why)
    disk.allow("rw")
    check_recovered(heard, stores, file)
    assert stored(file, "coffin")["best"] == "3"


def leave_a_wal(file: Path) -> None:
    """As a host that is killed leaves it: nothing in the database itself, all of it in the -wal, no -shm."""
    program = f"""
import os
from pathlib import Path
from halloween_host.store import Stores
stores = Stores(Path({str(file)!r}))
stores.of("coffin")["best"] = 3
stores._journal.flush(20)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    assert file.with_name(f"{file.name}-wal").stat().st_size
    file.with_name(f"{file.name}-shm").unlink()


def test_another_program_holds_it(file: Path, heard: Heard, open_stores: Open) -> None:
    """A `sqlite3` shell that was left open in a transaction."""
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    wait_for(lambda: stored(file, "coffin"), "the row")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        stores.of("coffin")["n"] = 0
        check_degraded(heard, stores, file, "another program holds it: end that one")
        other.execute("ROLLBACK")
    check_recovered(heard, stores, file)


def test_a_file_that_cannot_be_read_now(file: Path, heard: Heard, open_stores: Open) -> None:
    """Who stores is degraded from its first look; once it can be read, what was stored meanwhile stands over what was there."""
    before = open_stores()
    before.of("coffin").update(old="there", best=3, gone=1)
    assert before.close(5)
    hidden = file.rename(file.with_name("hidden"))
    file.mkdir()
    stores = open_stores()
    assert "it cannot be opened" in heard.failures[0]
    assert heard.reasons == {}
    store = stores.of("coffin")
    assert "it cannot be opened" in str(heard.reasons["coffin"])
    assert store.copy() == {}
    store.update(best=4, gone=2)
    del store["gone"]
    file.rmdir()
    hidden.rename(file)
    wait_for(lambda: heard.recoveries, "the recovery")
    assert store.copy() == {"best": 4, "old": "there"}
    assert stores.close(5)
    assert stored(file, "coffin") == {"best": "4", "old": '"there"'}


def test_a_state_dir_that_cannot_be_made(tmp_path: Path, heard: Heard, open_stores: Open) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "state").write_text("")
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    wait_for(lambda: heard.failures, "the line")
    (tmp_path / "state").unlink()
    wait_for(lambda: heard.recoveries, "the recovery")
    assert stored(tmp_path / "state" / DATABASE, "coffin") == {"a": "1"}


def test_a_disk_that_hangs_holds_nobody(file: Path, open_stores: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither who stores, nor a panic, nor the end of the host beyond its time."""
    let_go = threading.Event()

    def hang(_file: Path) -> bool:
        let_go.wait(60)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("halloween_host.store._database._make", hang)
    stores = open_stores()
    began = time.monotonic()
    for n in range(1000):
        stores.of("coffin")["n"] = n
    stores.hurry()
    assert not stores.close(0.3)
    assert stores.of("coffin")["n"] == 999
    assert time.monotonic() - began < 10
    let_go.set()


def test_no_thread_can_be_started(file: Path, heard: Heard, open_stores: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of processes is reached: the next write tries again."""

    def start(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    stores = open_stores()
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", start)
        stores.of("coffin")["a"] = 1
    assert "can't start new thread" in heard.failures[0]
    assert "can't start new thread" in str(heard.reasons["coffin"])
    stores.of("coffin")["b"] = 2
    wait_for(lambda: heard.recoveries, "the recovery")
    assert stored(file, "coffin") == {"a": "1", "b": "2"}
