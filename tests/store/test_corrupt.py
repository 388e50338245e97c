"""A file that is no database any more is set aside with a line, and a fresh one begins; what runs loses nothing."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from halloween_host.store import DATABASE
from halloween_host.store._database import set_aside
from tests.store.conftest import Open
from tests.store.listener import Heard, rows, stored, wait_for


def fill(open_stores: Open, keys: int = 200) -> None:
    stores = open_stores()
    stores.of("coffin").update({f"key {n:03}": f"value {n}" * 20 for n in range(keys)})
    assert stores.close(5)


def scribble(file: Path) -> None:
    """A page in the middle is overwritten, as a worn-out SD card does it; the header is well."""
    content = bytearray(file.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xa5" * 4096 * 4
    file.write_bytes(content)


@pytest.mark.parametrize("damage", ["garbage", "a scribbled page", "cut off"])
def test_at_the_start(file: Path, heard: Heard, open_stores: Open, damage: str) -> None:
    """Named with where it went, kept byte for byte, and the night begins with an empty store that is kept."""
    fill(open_stores)
    if damage == "garbage":
        file.write_bytes(b"boo! " * 2000)
    elif damage == "a scribbled page":
        scribble(file)
    else:
        file.write_bytes(file.read_bytes()[: 4096 * 3 + 100])
    broken = file.read_bytes()
    stores = open_stores()
    assert stores.of("coffin").copy() == {}
    (aside,) = file.parent.glob(f"{DATABASE}.corrupt-*")
    assert aside.read_bytes() == broken
    (line,) = heard.warnings
    assert line.startswith(f"{file} is corrupt (")
    assert line.endswith(f": set aside as {aside.name}, a fresh one begins; what was stored is lost")
    moment = time.strptime(aside.name.removeprefix(f"{DATABASE}.corrupt-"), "%Y%m%dT%H%M%SZ")
    assert abs(time.mktime(moment) - time.mktime(time.gmtime())) < 300
    stores.of("coffin")["new"] = 1
    assert stores.close(5)
    assert stored(file, "coffin") == {"new": "1"}
    assert heard.failures == []


def test_its_wal_goes_with_it(file: Path) -> None:
    """A fresh database that met the old one's -wal would take it for its own."""
    file.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        file.with_name(f"{DATABASE}{suffix}").touch()
    aside = set_aside(file)
    assert aside is not None
    assert {each.name for each in file.parent.iterdir()} == {f"{aside.name}{suffix}" for suffix in ("", "-wal", "-shm")}


def test_while_the_host_runs(file: Path, heard: Heard, open_stores: Open) -> None:
    """The next batch finds out; all that is in memory is in the fresh file, not the batch alone."""
    fill(open_stores)
    stores = open_stores()
    assert len(stores.of("coffin")) == 200
    file.write_bytes(b"boo! " * 2000)
    stores.of("coffin")["new"] = 1
    stores.of("fogger")["other"] = 2
    wait_for(lambda: stored_safely(file, "fogger"), "the fresh file")
    assert len(stored(file, "coffin")) == 201
    (line,) = heard.warnings
    assert line.endswith("a fresh one begins; what runs keeps what it had stored")


def stored_safely(file: Path, prop_id: str) -> dict[str, str]:
    """As `stored`; nothing while it is garbage still."""
    try:
        return stored(file, prop_id)
    except sqlite3.DatabaseError:
        return {}


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_was_taken_away_is_made_anew(file: Path, heard: Heard, open_stores: Open, how: str) -> None:
    """SQLite would write on into the deleted one, to the end of the night, and say nothing."""
    stores = open_stores()
    stores.of("coffin").update(a=1, b=2)
    wait_for(lambda: stored(file, "coffin"), "the row")
    if how == "deleted":
        file.unlink()
    else:
        file.rename(file.with_name("other"))
        file.touch()
    stores.of("fogger")["x"] = 3
    wait_for(lambda: stored(file, "fogger"), "the new file")
    assert stored(file, "coffin") == {"a": "1", "b": "2"}
    assert heard.failures == heard.warnings == []


def test_an_empty_file_is_a_fresh_one(file: Path, heard: Heard, open_stores: Open) -> None:
    """As a power cut may leave it at the very first write."""
    file.parent.mkdir()
    file.touch()
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    assert stores.close(5)
    assert stored(file, "coffin") == {"a": "1"}
    assert heard.warnings == []


def test_rows_that_somebody_wrote_by_hand(file: Path, heard: Heard, open_stores: Open) -> None:
    """What is no JSON is left out with one line, and stays in the file; what is, counts."""
    fill(open_stores, 1)
    with closing(sqlite3.connect(file)) as connection, connection:
        put = "INSERT INTO state VALUES ('store', 'coffin', ?, ?)"
        connection.executemany(
            put, [("good", "[1]"), ("text", "boo"), ("bytes", b"\xff"), (b"\xfe", "1"), ("nan", "NaN"), ("empty", "")]
        )
    stores = open_stores()
    assert stores.of("coffin").copy() == {"key 000": "value 0" * 20, "good": [1]}
    (line,) = heard.warnings
    assert line.startswith(f"{file}: no JSON, and left out: ")
    assert all(f"coffin: {key}" in line for key in ("'text'", "'bytes'", "b'\\xfe'", "'nan'", "'empty'"))
    stores.of("coffin")["text"] = "mended"
    assert stores.close(5)
    assert stored(file, "coffin")["text"] == '"mended"'
    assert len(rows(file)) == 7


def test_a_file_of_a_newer_host_is_left_as_it_is(file: Path, heard: Heard, open_stores: Open) -> None:
    """Somebody went back a version: nothing is stored, and that is said; the newer one finds its file as it was."""
    fill(open_stores, 1)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = rows(file)
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    wait_for(lambda: heard.failures, "the line")
    assert "it is of a newer halloween-host (version 7): update this one" in heard.failures[0]
    assert not stores.close(5)
    assert rows(file) == before
