"""A real host and its store: killed, stopped, in a panic, started again; what was assigned is there."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from halloween_host.store import DATABASE
from tests.counts.meters import say
from tests.end_to_end.haunt import Haunt, beginning, telling
from tests.end_to_end.process import until
from tests.mosquitto import Line, Listener, Mosquitto
from tests.store.conftest import Disk
from tests.store.listener import rows, stored
from tests.store.workers import COUNTER, IDLE, OLD, OWN

WAIT = 30.0
KILLS = 5


@pytest.fixture
def haunt(tmp_path: Path) -> Haunt:
    made = Haunt(tmp_path)
    made.prop("coffin", COUNTER)
    return made


def database(haunt: Haunt) -> Path:
    return haunt.folder / "state" / DATABASE


async def online(listener: Listener, prop_id: str = "coffin") -> None:
    await listener.expect(f"halloween/{prop_id}/status/availability online", within_s=WAIT)


async def hear(listener: Listener, start: str) -> Line:
    return await listener.expect(beginning(start), within_s=WAIT)


async def found(haunt: Haunt, broker: Mosquitto) -> dict[str, object]:
    """What a host that starts now finds in the coffin's store."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        line = await hear(listener, "halloween/coffin/telemetry/found ")
        await online(listener)
        await host.stop()
    told: dict[str, object] = json.loads(line.split(" ", 1)[1])
    return told


async def test_a_kill_loses_no_write_that_is_older_than_a_fifth_of_a_second(haunt: Haunt, broker: Mosquitto) -> None:
    """Hosts are killed in the middle of 500 assignments a second, each told with its time; a busy machine gets a second."""
    for _ in range(KILLS):
        async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
            await online(listener)
            await broker.publish("halloween/coffin/cmd", "count")
            at = began = assigned(await hear(listener, "halloween/coffin/telemetry/n "))[1]
            while at < began + 1.5:
                at = assigned(await hear(listener, "halloween/coffin/telemetry/n "))[1]
            killed_at = time.time()
            host.signal(signal.SIGKILL)
            await listener.expect("halloween/coffin/status/availability offline", within_s=WAIT)
        told = [assigned(line) for line in listener.lines if line.topic == "halloween/coffin/telemetry/n"]
        kept = json.loads(stored(database(haunt), "coffin")["n"])
        lost = [at for n, at in told if n > kept]
        say(f"killed: {len(lost)} assignments lost, the oldest {max([0, *(killed_at - at for at in lost)]):.3f} s old")
        assert all(at > killed_at - 1 for at in lost)
        assert kept >= max(n for n, at in told if at < killed_at - 1)
    assert (await found(haunt, broker))["n"] == kept


def assigned(line: Line) -> tuple[int, float]:
    """What was assigned, and when."""
    n, at = json.loads(line.payload)
    return n, at


async def test_the_last_assignments_of_a_good_end_are_there(haunt: Haunt, broker: Mosquitto) -> None:
    """What `stop()` assigns too; from a handler, from a thread, from `start()`; the deletion of a key as well."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        await broker.publish("halloween/coffin/cmd", json.dumps({"action": "put", "args": {"a": [1], "b": None}}))
        await broker.publish("halloween/coffin/cmd", "thread")
        await hear(listener, "halloween/coffin/telemetry/put {")
        await hear(listener, "halloween/coffin/telemetry/put thread")
        await host.stop()
    assert await found(haunt, broker) == {"starts": 1, "a": [1], "b": None, "thread": 1, "stopped": True}
    assert (await found(haunt, broker))["starts"] == 2


async def test_a_panic_has_it_written(haunt: Haunt, broker: Mosquitto) -> None:
    """What `safe()` assigns too; a kill right after the report takes nothing of it. A busy machine gets its time."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        await broker.publish("halloween/worker_host/cmd", "panic a test")
        await listener.expect(telling("halloween/worker_host/status/panic", active=True, no_safe=[]), within_s=WAIT)
        await until(lambda: "safe" in stored(database(haunt), "coffin"), "the store")
        host.signal(signal.SIGKILL)
        await host.wait(-signal.SIGKILL)
    assert stored(database(haunt), "coffin") == {"starts": "1", "safe": "true"}


async def test_what_is_not_json_is_the_handlers_error(haunt: Haunt, broker: Mosquitto) -> None:
    """It is said with the place where it stands, and the worker lives on."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        await broker.publish("halloween/coffin/cmd", "bad")
        line = await hear(
            listener, "halloween/coffin/status/error bad: StoreError: self.store['bad']: a set is not JSON"
        )
        assert "worker.py" not in line
        await host.stop()


async def test_both_dialects_have_one_and_one_of_2025_keeps_his_own(haunt: Haunt, broker: Mosquitto) -> None:
    """A worker that assigned `self.store` in 2025 runs as it did."""
    haunt.prop("old", OLD)
    haunt.prop("own", OWN)
    for n in (1, 2):
        async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
            await listener.expect(f"halloween/old/telemetry/old {n}", within_s=WAIT)
            await listener.expect("halloween/own/telemetry/own 1", within_s=WAIT)
            await host.stop()
    assert {prop for _space, prop, _key, _value in rows(database(haunt))} == {"coffin", "old"}


async def test_a_cool_down_outlives_the_host(haunt: Haunt, broker: Mosquitto) -> None:
    """Stopped, killed and started again, the fogger is as hot as before; no worker sees where that is kept."""
    command = json.dumps({"action": "fire", "id": "first"})
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        await broker.publish("halloween/coffin/cmd", command)
        await listener.expect(telling("halloween/coffin/ack", outcome="done", result="fired"), within_s=WAIT)
        await until(lambda: any(space == "cooldown" for space, *_ in rows_safely(database(haunt))), "the cool-down")
        host.signal(signal.SIGKILL)
        await host.wait(-signal.SIGKILL)
    for _ in range(2):
        async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
            await online(listener)
            await broker.publish("halloween/coffin/cmd", json.dumps({"action": "fire", "id": "again"}))
            line = await listener.expect(telling("halloween/coffin/ack", outcome="refused"), within_s=WAIT)
            left_s = float(
                json.loads(line.payload)["error"].removeprefix("it cools down; accepted again in ").split()[0]
            )
            assert 3600 - 300 < left_s < 3600
            assert "fire" not in await hear(listener, "halloween/coffin/telemetry/found ")
            await host.stop()


def rows_safely(file: Path) -> list[tuple[str, str, str, str]]:
    try:
        return rows(file)
    except sqlite3.OperationalError:
        return []


async def test_a_corrupt_file_is_set_aside(haunt: Haunt, broker: Mosquitto) -> None:
    """One line on the host's topic and in the log, and the worker is online with an empty store."""
    database(haunt).parent.mkdir()
    database(haunt).write_bytes(b"boo! " * 2000)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await hear(listener, "halloween/worker_host/status/warn state/halloween.db is corrupt (file is not a database)")
        await listener.expect("halloween/coffin/telemetry/found {}", within_s=WAIT)
        await online(listener)
        await host.stop()
    assert len(host.matching("is corrupt")) == 1
    assert (await found(haunt, broker))["starts"] == 1


async def test_a_full_disk_degrades_the_worker_and_recovers(haunt: Haunt, broker: Mosquitto, disk: Disk) -> None:
    """It takes commands all the while; the prop that stores nothing is online. The end of it is told, and all is written."""
    haunt.prop("quiet", "from halloween_host import BaseWorker\nclass Worker(BaseWorker): pass\n")
    async with (
        broker.listen("halloween/#") as listener,
        haunt.host(broker, STATE_DIR=str(disk.folder)) as host,
    ):
        await online(listener)
        await online(listener, "quiet")
        disk.fill()
        await broker.publish("halloween/coffin/cmd", json.dumps({"action": "put", "args": {"big": "x" * 50_000}}))
        why = f"{disk.folder}/{DATABASE}: the disk is full: make room"
        await hear(listener, f"halloween/worker_host/status/error {why}; what workers store is kept in memory")
        degraded = telling(
            "halloween/coffin/status/health", state="degraded", reason=f"what it stores is in memory alone: {why}"
        )
        await listener.expect(degraded, within_s=WAIT)
        await broker.publish("halloween/coffin/cmd", "thread")
        await hear(listener, "halloween/coffin/telemetry/put thread")
        disk.empty()
        await listener.expect(telling("halloween/coffin/status/health", state="online", reason=None), within_s=WAIT)
        await host.expect_log(f"{DATABASE} is well again")
        await host.stop()
    kept = stored(disk.folder / DATABASE, "coffin")
    assert len(kept["big"]) == 50_002
    assert kept["thread"] == "1"
    assert len(host.matching("the disk is full")) == 1
    assert not [
        line
        for line in listener.lines
        if line.startswith("halloween/quiet/status/health") and b"degraded" in line.payload
    ]


async def test_two_hosts_on_one_state_dir(haunt: Haunt, broker: Mosquitto) -> None:
    """The second says who holds it and how to mend that, and ends; the first goes on."""
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        async with haunt.host(broker, MQTT_CLIENT_ID="another") as second:
            await second.wait(1)
        assert f"another host runs with state as its STATE_DIR (pid {host.pid}): give each host its own" in second.log
        await broker.publish("halloween/coffin/cmd", "thread")
        await hear(listener, "halloween/coffin/telemetry/put thread")
        await host.stop()


async def test_who_stores_nothing_imports_no_sqlite_and_has_no_thread(tmp_path: Path, broker: Mosquitto) -> None:
    """Nor is there a file after the night."""
    haunt = Haunt(tmp_path)
    haunt.prop("coffin", IDLE)
    async with broker.listen("halloween/#") as listener, haunt.host(broker) as host:
        await online(listener)
        await broker.publish("halloween/coffin/cmd", "modules")
        line = await hear(listener, "halloween/coffin/telemetry/modules ")
        await host.stop()
    imported, threads = json.loads(line.split(" ", 1)[1])
    assert not imported
    assert "store" not in threads
    assert not database(haunt).exists()
