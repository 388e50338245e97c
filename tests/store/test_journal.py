"""What was assigned is in the file a moment later, a whole batch at a time, by one thread that sleeps when there is none."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from halloween_host.store import DATABASE
from tests.counts.meters import wake_ups
from tests.store.conftest import Open
from tests.store.listener import rows, stored, wait_for


def store_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "store"]


def test_without_a_write_there_is_no_thread_and_no_file(file: Path, open_stores: Open) -> None:
    """Who only looks costs nothing."""
    stores = open_stores()
    assert "a" not in stores.of("coffin")
    assert stores.of("coffin").get("a", 1) == 1
    assert stores.close(1)
    assert store_threads() == []
    assert not file.parent.exists()


def test_it_is_on_the_disk_without_anybody_asking(file: Path, open_stores: Open) -> None:
    """Long before the 20 s that this test would wait; another program reads it, host open or not."""
    store = open_stores().of("coffin")
    store["best"] = {"points": 3, "name": "Vlad ä"}
    wait_for(lambda: stored(file, "coffin"), "the row")
    assert rows(file) == [("store", "coffin", "best", '{"points":3,"name":"Vlad ä"}')]
    del store["best"]
    wait_for(lambda: not stored(file, "coffin"), "the deletion")


def test_a_write_is_on_the_disk_within_a_fifth_of_a_second(file: Path, open_stores: Open) -> None:
    """The promise, at the median of 20 writes on whatever disk and machine this is; each at most 5 s."""
    store = open_stores().of("coffin")
    store["n"] = -1
    wait_for(lambda: stored(file, "coffin"), "the file")
    took = []
    with closing(sqlite3.connect(file)) as connection:
        for n in range(20):
            began = time.monotonic()
            store["n"] = n
            assert time.monotonic() - began < 5
            while connection.execute("SELECT value FROM state").fetchone() != (str(n),):
                assert time.monotonic() - began < 5
                time.sleep(0.001)
            took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.2


def test_another_run_finds_all_of_it(open_stores: Open) -> None:
    """In the order of its keys; what was deleted stays so; props that do not run are left alone."""
    first = open_stores()
    first.of("coffin").update({"b": 1, "a": [2], "c": None})
    first.of("fogger")["x"] = 1
    del first.of("coffin")["b"]
    assert first.close(5)
    second = open_stores("coffin")
    assert second.of("coffin").copy() == {"a": [2], "c": None}
    assert second.of("fogger").copy() == {}
    second.of("coffin")["a"] = 3
    assert second.close(5)
    third = open_stores()
    assert third.of("coffin").copy() == {"a": 3, "c": None}
    assert third.of("fogger").copy() == {"x": 1}


def test_an_update_is_one_transaction(file: Path, open_stores: Open) -> None:
    """Nobody ever reads half of it, whatever else writes in between."""
    store = open_stores().of("coffin")
    over = threading.Event()

    def write() -> None:
        for n in range(300):
            store.update(dict.fromkeys("abcdef", n))
            time.sleep(0.001)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not over.is_set():
        found = stored(file, "coffin")
        assert len(set(found.values())) <= 1
        assert len(found) in (0, 6)
        seen |= set(found.values())
    writer.join()
    assert len(seen) > 1


def test_threads_hammer_it(open_stores: Open) -> None:
    """Eight threads write, delete and read two stores; memory and file agree in the end, and each thread's own key is its last word."""
    stores = open_stores()
    shared, errors = "shared", []

    def work(number: int) -> None:
        store = stores.of(("coffin", "fogger")[number % 2])
        try:
            for n in range(400):
                store[f"own {number}"] = [number, n]
                assert store[f"own {number}"] == [number, n]
                store.setdefault(shared, number)
                assert store.pop(shared, number) in range(8)
                store.update({f"own {number}": [number, n, n], shared: number})
                list(store)
                store.copy()
        except Exception as error:  # noqa: BLE001 a thread's failure is the test's
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    told = {prop: stores.of(prop).copy() for prop in ("coffin", "fogger")}
    assert stores.close(10)
    again = open_stores()
    assert {prop: again.of(prop).copy() for prop in told} == told
    for number in range(8):
        assert told[("coffin", "fogger")[number % 2]][f"own {number}"] == [number, 399, 399]


def test_of_many_who_pop_a_key_one_gets_it(open_stores: Open) -> None:
    """It is a token that threads may pass on; so is `setdefault`'s first value."""
    store = open_stores().of("coffin")
    got: list[list[Any]] = [[], [], [], []]
    turn = threading.Barrier(len(got))

    def work(number: int) -> None:
        for n in range(300):
            turn.wait(20)
            store.setdefault("token", [n, number])
            turn.wait(20)
            if (token := store.pop("token", None)) is not None:
                got[number].append(token[0])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(got))]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert sorted(n for each in got for n in each) == list(range(300))


def test_a_batch_that_nobody_waits_for_goes_at_a_word(file: Path, open_stores: Open, monkeypatch: Any) -> None:
    """`hurry` does not wait for the rest of the batch's time."""
    monkeypatch.setattr("halloween_host.store._journal.COLLECT_S", 3600.0)
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    stores.hurry()
    wait_for(lambda: stored(file, "coffin"), "the row")
    stores.of("coffin")["b"] = 2
    assert stores.close(5)
    assert stored(file, "coffin") == {"a": "1", "b": "2"}


def test_the_same_value_again_wears_no_disk(file: Path, open_stores: Open) -> None:
    """An SD card has so many writes in it."""
    stores = open_stores()
    stores.of("coffin")["a"] = {"b": 1}
    wait_for(lambda: stored(file, "coffin"), "the row")
    stores.of("coffin")["a"] = {"b": 1}
    stores.of("coffin").update(a={"b": 1})
    journal: Any = stores._journal
    assert journal._dirty == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how often a thread slept, in /proc")
def test_the_thread_sleeps_when_there_is_nothing_to_write(file: Path, open_stores: Open) -> None:
    """No tick in two seconds: not one wake-up."""
    open_stores().of("coffin")["a"] = 1
    wait_for(lambda: stored(file, "coffin"), "the row")
    (thread,) = store_threads()
    time.sleep(0.5)
    before = wake_ups_of(thread)
    time.sleep(2)
    assert wake_ups_of(thread) == before


def wake_ups_of(thread: threading.Thread) -> int:
    assert thread.native_id is not None
    return wake_ups(os.getpid())[thread.native_id]


def test_nobody_else_may_read_the_files(file: Path, open_stores: Open) -> None:
    """0600 for the database and what SQLite has beside it, also when it was wider before."""
    stores = open_stores()
    stores.of("coffin")["pin"] = "1031"
    wait_for(lambda: stored(file, "coffin"), "the row")
    assert {each.name: oct(each.stat().st_mode & 0o777) for each in file.parent.iterdir()} == dict.fromkeys(
        (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"), "0o600"
    )
    assert stores.close(5)
    file.chmod(0o644)
    again = open_stores()
    assert again.of("coffin")["pin"] == "1031"
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_after_a_good_end_the_file_is_all_there_is(file: Path, open_stores: Open) -> None:
    """It may be copied: nothing of it stands in a -wal."""
    stores = open_stores()
    stores.of("coffin")["a"] = 1
    assert stores.close(5)
    assert [each.name for each in file.parent.iterdir()] == [DATABASE]


def test_it_is_synced_at_each_batch(file: Path, open_stores: Open) -> None:
    """A power cut loses no more than a kill: WAL alone, with the synchronous=NORMAL that many use, would lose hours."""
    from halloween_host.store._database import Database

    stores = open_stores()
    stores.of("coffin")["a"] = 1
    assert stores.close(5)
    database = Database(file)
    assert database._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_opened_twice_it_stays_whole(file: Path, open_stores: Open) -> None:
    """Two hosts are refused elsewhere; should it happen all the same, the file holds what each wrote last."""
    first, second = open_stores("coffin"), open_stores("fogger")
    for n in range(200):
        first.of("coffin")[f"{n % 10}"] = n
        second.of("fogger")[f"{n % 10}"] = n
        first.hurry()
        second.hurry()
    assert first.close(10)
    assert second.close(10)
    assert len(rows(file)) == 20
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_host_that_ends_past_us_writes_the_last_batch(tmp_path: Path) -> None:
    """As after exit status 70: the exit functions run, and `os._exit` follows."""
    program = f"""
import atexit, os, sys
from pathlib import Path
from halloween_host.store import Stores

stores = Stores(Path({str(tmp_path / DATABASE)!r}))
stores.of("coffin")["a"] = 1
atexit._run_exitfuncs()
os._exit(70)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 70
    assert stored(tmp_path / DATABASE, "coffin") == {"a": "1"}


def test_a_fork_of_a_worker_does_not_wait_for_our_thread(file: Path, open_stores: Open) -> None:
    """Its exit functions are ours too; the thread is not there, and nobody would wake it."""
    store = open_stores().of("coffin")
    store["a"] = 1
    stores: Any = store._shelf._recorder
    stores._process += 1
    began = time.monotonic()
    assert not stores.flush(20)
    stores.hurry()
    assert time.monotonic() - began < 10
    stores._process = os.getpid()


def test_a_value_is_json_on_the_disk(file: Path, open_stores: Open) -> None:
    """Any program may read it."""
    stores = open_stores()
    stores.of("coffin")["x"] = [1, 2.5, None, True, {"ä": "🎃"}]
    assert stores.close(5)
    assert json.loads(stored(file, "coffin")["x"]) == [1, 2.5, None, True, {"ä": "🎃"}]
