"""On the rehearsal stage a store is in memory; with a `state` it is on the disk as the host's is, a moment later."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from halloween_host import BaseWorker, action
from halloween_host.errors import StageError, StoreError
from halloween_host.store import DATABASE
from halloween_host.testing import rehearsal, rehearse
from tests.store.listener import stored
from worker_host.base import BaseWorker as AsyncioWorker


class Coffin(BaseWorker):
    async def start(self) -> None:
        await super().start()
        self.store["starts"] = self.store.get("starts", 0) + 1
        self.telemetry("starts", self.store["starts"])

    def do_thread(self) -> None:
        self.store["thread"] = True

    @action(cooldown=60)
    async def do_fire(self) -> None:
        self.store["fired"] = True


class Fogger(AsyncioWorker):
    async def start(self) -> None:
        await super().start()
        self.store["starts"] = self.store.get("starts", 0) + 1
        self.telemetry("starts", self.store["starts"])


@rehearsal
async def test_it_outlives_the_worker() -> None:
    """In both dialects; a test looks into it, and nothing of it is on a disk or in a thread."""
    async with rehearse({"coffin": Coffin, "fogger": Fogger}) as show:
        for prop_id in ("coffin", "fogger"):
            await show.expect(f"{prop_id}/telemetry/starts", "1")
            show.crash(prop_id)
            await show.expect(f"{prop_id}/telemetry/starts", "2")
            assert show.store(prop_id)["starts"] == 2
        show.send("coffin", "thread")
        await show.run_for(1)
        assert show.store("coffin").copy() == {"starts": 2, "thread": True}
        assert not [each for each in threading.enumerate() if each.name == "store"]
        with pytest.raises(StageError, match="no prop 'cofin' on the stage; did you mean 'coffin'"):
            show.store("cofin")


@rehearsal
async def test_a_show_may_begin_in_the_middle_of_the_night() -> None:
    """`store` is what was stored before; it is copied."""
    given: dict[str, Any] = {"coffin": {"starts": 41, "best": {"points": [1]}}}
    async with rehearse({"coffin": Coffin}, store=given) as show:
        await show.expect("coffin/telemetry/starts", "42")
        assert show.store("coffin")["best"] == {"points": [1]}
    assert given["coffin"]["starts"] == 41


@rehearsal
async def test_a_store_that_cannot_be() -> None:
    """Its prop, or what in it is not JSON, is named."""
    with pytest.raises(StageError, match="a store for cofin, which is not on the stage; did you mean 'coffin'"):
        async with rehearse({"coffin": Coffin}, store={"cofin": {}}):
            pass
    with pytest.raises(StoreError, match="a set is not JSON"):
        async with rehearse({"coffin": Coffin}, store={"coffin": {"best": {1, 2}}}):
            pass


@rehearsal
async def test_two_shows_with_one_state(tmp_path: Path) -> None:
    """The second is a restart of the host: the store and the cool-down go on, and that is no part of the store."""
    for starts, left in (("1", None), ("2", "50.0"), ("3", "20.0"), ("4", None)):
        async with rehearse({"coffin": Coffin}, state=tmp_path) as show:
            await show.expect("coffin/telemetry/starts", starts)
            await show.expect("coffin/status/availability", "online")
            show.send("coffin", "fire", id="x")
            wanted = "done" if left is None else f"it cools down; accepted again in {left} s"
            await show.expect("coffin/ack", lambda text, wanted=wanted: wanted in text)
            assert sorted(show.store("coffin")) == ["fired", "starts"]
            await show.run_for(10 if left is None else 30)


class Killed(Exception):
    """What ends the show without a word."""


@rehearsal
async def test_a_show_that_is_killed_leaves_what_was_on_the_disk(tmp_path: Path) -> None:
    """Within 0.2 virtual seconds it is there, without a thread; what is younger is lost, as on a host that gets SIGKILL."""

    async def play(starts: str, seconds: float) -> None:
        async with rehearse({"coffin": Coffin}, state=tmp_path) as show:
            await show.expect("coffin/telemetry/starts", starts)
            await show.run_for(seconds)
            assert not [each for each in threading.enumerate() if each.name == "store"]
            raise Killed

    for starts, seconds in (("1", 0.2), ("2", 0.05), ("2", 0.2), ("3", 0.2)):
        with pytest.raises(Killed):
            await play(starts, seconds)


@rehearsal
async def test_what_a_thread_stores_is_on_the_disk_too(tmp_path: Path) -> None:
    """A plain handler's, 0.2 s later; and a panic writes at once."""
    file = tmp_path / DATABASE
    async with rehearse({"coffin": Coffin}, state=tmp_path) as show:
        await show.expect("coffin/status/availability", "online")
        show.send("coffin", "thread", id=1)
        await show.expect("coffin/ack", lambda text: '"done"' in text)
        await show.run_for(0.2)
        assert stored(file, "coffin")["thread"] == "true"
        show.store("coffin")["last"] = 1
        show.panic()
        await show.expect("worker_host/status/panic", lambda text: '"active":true' in text)
        assert stored(file, "coffin")["last"] == "1"


@rehearsal
async def test_a_file_that_cannot_be_used_is_told_as_by_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no database is set aside; what cannot be written degrades who stores, until it can."""
    monkeypatch.setattr("halloween_host.store._database.BUSY_S", 0.05)
    file = tmp_path / DATABASE
    file.write_bytes(b"a pumpkin" * 100)
    async with rehearse({"coffin": Coffin}, state=tmp_path) as show:
        await show.expect("worker_host/status/warn", lambda text: "halloween.db is corrupt" in text)
        await show.run_for(1)
        assert stored(file, "coffin") == {"starts": "1"}
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            show.store("coffin")["held"] = True
            await show.expect("coffin/status/health", lambda text: "another program holds it" in text)
            other.execute("ROLLBACK")
        await show.expect("coffin/status/health", lambda text: '"reason":null' in text)
        assert stored(file, "coffin")["held"] == "true"


@rehearsal
async def test_the_same_seed_gives_the_same_night() -> None:
    """A store adds nothing to chance."""
    transcripts = []
    for _ in range(2):
        async with rehearse({"coffin": Coffin, "fogger": Fogger}, seed=7) as show:
            await show.expect("coffin/telemetry/starts", "1")
            show.crash("coffin")
            await show.run_for(60)
        transcripts.append(str(show.transcript))
    assert transcripts[0] == transcripts[1]


@rehearsal
async def test_the_hosts_trouble_stands_beside_the_workers_own() -> None:
    """A worker that was restarted and whose store is not kept tells both; when one is over, the other."""
    async with rehearse({"coffin": Coffin}) as show:
        await show.expect("coffin/status/availability", "online")
        worker = show._tree.supervisors["coffin"]
        worker.degrade("what it stores is in memory alone: no disk")
        assert (show.health("coffin").state.value, show.health("coffin").reason) == (
            "degraded",
            "what it stores is in memory alone: no disk",
        )
        show.crash("coffin")
        await show.expect("coffin/telemetry/starts", "2")
        await show.run_for(1)
        reason = str(show.health("coffin").reason)
        assert reason.startswith("restarted after: ")
        assert reason.endswith("; what it stores is in memory alone: no disk")
        worker.degrade(None)
        assert str(show.health("coffin").reason).endswith("show.crash()")
        await show.run_for(70)
        assert show.health("coffin").state.value == "online"
