"""A disk smaller than SQLite's -wal may become is full for as long as something fills it, and not a moment longer."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from halloween_host.store import DATABASE, Stores
from tests.store.conftest import Disk, Open
from tests.store.listener import Heard, stored, wait_for

pytestmark = [pytest.mark.usefixtures("impatient"), pytest.mark.parametrize("disk_kib", [256, 1024, 4096])]

#: Times that a value is stored: all of them together are more than the disk.
ROUNDS = 8


@pytest.fixture
def value_bytes(disk_kib: int) -> int:
    """A value that fits on the disk twice, and its -wal beside it."""
    return disk_kib * 1024 // 6


def on_disk(file: Path, key: str, value: str) -> bool:
    return stored(file, "coffin").get(key) == json.dumps(value)


def journal_mode(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def overfill(stores: Stores, file: Path, heard: Heard, value_bytes: int) -> str:
    """Store more at once than the disk has room for; return when that was said."""
    value = "!" * 7 * value_bytes
    stores.of("coffin")["value"] = value
    wait_for(lambda: heard.failures, "the line")
    assert heard.failures[0].startswith(f"{file}: the disk is full: make room; ")
    assert str(heard.reasons["coffin"]).endswith("the disk is full: make room")
    return value


def test_it_is_filled_and_emptied_again_and_again(
    disk: Disk, heard: Heard, open_stores: Open, value_bytes: int
) -> None:
    """Each time one line that it is full, one that it is well, and all that was stored meanwhile is on the disk, in WAL mode."""
    file = disk.folder / DATABASE
    stores = open_stores(at=file)
    for number in range(ROUNDS):
        disk.fill()
        first = f"{number}" * value_bytes
        stores.of("coffin")["value"] = first
        stores.of("coffin").update({f"small {number}": number})
        wait_for(lambda: heard.failures or on_disk(file, "value", first), "the line, or the room of an old -wal")  # noqa: B023
        second = f"-{number}" * (value_bytes // 2)
        stores.of("coffin")["value"] = second
        assert stores.of("coffin")["value"] == second
        disk.empty()
        wait_for(lambda: on_disk(file, "value", second), f"value {number}")  # noqa: B023
        wait_for(lambda: len(heard.recoveries) == len(heard.failures), "the recovery")
        assert len(heard.failures) <= number + 1
    assert heard.failures
    assert heard.reasons["coffin"] is None
    assert journal_mode(file) == "wal"
    assert stores.close(5)
    assert {key: text for key, text in stored(file, "coffin").items() if key.startswith("small")} == {
        f"small {number}": f"{number}" for number in range(ROUNDS)
    }


def test_the_wal_alone_never_fills_it(disk: Disk, heard: Heard, open_stores: Open, value_bytes: int) -> None:
    """Nothing but the store is on it, and far more is stored than it has room for; two processes write, as with an isolated worker."""
    file = disk.folder / DATABASE
    stores, others = open_stores("coffin", at=file), open_stores("fogger", at=file)
    for number in range(ROUNDS):
        value = f"{number}" * value_bytes
        stores.of("coffin")["value"] = value
        others.of("fogger")["n"] = number
        wait_for(lambda: on_disk(file, "value", value), f"value {number}")  # noqa: B023
    assert stores.close(5)
    assert others.close(5)
    assert stored(file, "fogger") == {"n": f"{ROUNDS - 1}"}
    assert heard.failures == []


def test_a_value_that_it_has_no_room_for(disk: Disk, heard: Heard, open_stores: Open, value_bytes: int) -> None:
    """The worker itself makes room, by storing less: what could never have left the -wal was not begun."""
    file = disk.folder / DATABASE
    stores = open_stores(at=file)
    stores.of("coffin")["before"] = 1
    value = overfill(stores, file, heard, value_bytes)
    assert stores.of("coffin")["value"] == value
    stores.of("coffin")["value"] = "less"
    wait_for(lambda: heard.recoveries, "the recovery")
    assert stored(file, "coffin") == {"before": "1", "value": '"less"'}
    assert len(heard.failures) == 1


def test_a_host_killed_while_it_is_full(disk: Disk, heard: Heard, open_stores: Open, value_bytes: int) -> None:
    """What the killed one left beside the database is taken in by the next one, and stands in nobody's way."""
    file = disk.folder / DATABASE
    program = f"""
import os
from pathlib import Path
from halloween_host.store import Stores
stores = Stores(Path({str(file)!r}))
stores.of("coffin")["kept"] = "k" * {value_bytes}
assert stores._journal.flush(20)
stores.of("coffin")["value"] = "!" * {7 * value_bytes}
assert not stores._journal.flush(20)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    disk.fill()
    stores = open_stores(at=file)
    assert stores.of("coffin").copy() == {"kept": "k" * value_bytes}
    overfill(stores, file, heard, value_bytes)
    disk.empty()
    stores.of("coffin")["value"] = "less"
    wait_for(lambda: heard.recoveries, "the recovery")
    assert stored(file, "coffin") == {"kept": json.dumps("k" * value_bytes), "value": '"less"'}
