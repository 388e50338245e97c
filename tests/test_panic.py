"""STOP on the stage: nothing runs on, every `safe()` runs, the latch stands, and the report tells the truth."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from halloween_host import BaseWorker, topics
from halloween_host.testing import rehearsal, rehearse
from tests.panics import BOTH, Valve, lines, online, report
from worker_host.base import BaseWorker as AsyncioWorker


@rehearsal
async def test_everything_stops_and_every_safe_runs() -> None:
    """Handlers and tasks of both dialects are cancelled, `safe()` commands the firmware, nothing ticks on, all are offline."""
    async with rehearse({**BOTH, "lamp": BaseWorker}) as show:
        await online(show, "native", "legacy", "lamp")
        for prop in BOTH:
            show.send(prop, "open")
            await show.expect(f"{prop}/telemetry/valve", "open")
        show.panic("a guest fell")
        found = await report(show, active=True, reason="a guest fell", by="mqtt", unsafe={}, durable=True)
        assert sorted(found["safe"]) == ["legacy", "native"]
        assert found["no_safe"] == ["lamp"]
        for prop in BOTH:
            await show.expect(f"{prop}/cmd", {"action": "close", "args": None})
            await show.expect(f"{prop}/status/availability", "offline")
            assert show.health(prop).reason == "panic: a guest fell"
        before = len(lines(show, "telemetry"))
        await show.run_for(120)
        assert len(lines(show, "telemetry")) == before


@rehearsal
async def test_what_a_cancelled_handler_says_does_not_leave() -> None:
    """From the panic on only `safe()` is heard of a worker; `stop()` does not run."""
    async with rehearse(BOTH) as show:
        await online(show, *BOTH)
        for prop in BOTH:
            show.send(prop, "open")
            await show.expect(f"{prop}/telemetry/valve", "open")
        show.panic()
        await report(show)
        assert lines(show, "valve cancelled") == []
        assert lines(show, "stopped") == []


@rehearsal
async def test_commands_are_refused_and_counted_while_latched() -> None:
    """A latched prop takes nothing, whoever sends it; `safe()`'s own commands coming back are not counted."""
    async with rehearse({"valve": Valve}) as show:
        await online(show, "valve")
        show.panic()
        await report(show)
        for _ in range(3):
            show.send("valve", "open")
        found = await report(show, refused=3)
        assert found["active"] is True
        assert "status/error open: refused, the worker is offline: panic: rehearsed" in "\n".join(
            lines(show, "refused")
        )


@rehearsal
async def test_a_panic_in_the_middle_of_a_rearm() -> None:
    """Whom the rearm has not come to yet it leaves alone: nobody runs on, whoever had been started."""
    crowd = {f"ghost-{number}": BaseWorker for number in range(40)}
    async with rehearse(crowd) as show:
        await online(show, *crowd)
        show.panic("first")
        await report(show, reason="first")
        show.rearm()
        show.panic("second")
        await report(show, reason="second")
        await show.run_for(5)
        assert {show.health(prop).reason for prop in crowd} == {"panic: second"}


@rehearsal
async def test_rearm_starts_the_workers_anew() -> None:
    """After it they are online, take commands, and `status/panic` is inactive; a second `rearm` does no harm."""
    async with rehearse(BOTH) as show:
        await online(show, *BOTH)
        show.panic()
        await report(show)
        show.rearm()
        await show.expect(topics.HOST_PANIC, lambda text: json.loads(text)["active"] is False)
        await online(show, *BOTH)
        show.rearm()
        for prop in BOTH:
            show.send(prop, "open")
            await show.expect(f"{prop}/telemetry/valve", "open")


@rehearsal
async def test_the_latch_survives_a_restart(tmp_path: Path) -> None:
    """A host that starts latched constructs its workers, runs every `safe()`, starts nothing, and waits for `rearm`."""
    started: list[str] = []

    class Worker(Valve):
        async def start(self) -> None:
            started.append(self.prop_id)
            await super().start()

    async with rehearse({"valve": Worker}, state=tmp_path) as show:
        await online(show, "valve")
        show.panic("for the night")
        await report(show)
    async with rehearse({"valve": Worker}, state=tmp_path) as show:
        found = await report(show, active=True, reason="for the night", by="mqtt")
        assert list(found["safe"]) == ["valve"]
        await show.expect("valve/cmd", {"action": "close", "args": None})
        await show.run_for(60)
        assert started == ["valve"]
        show.rearm()
        await online(show, "valve")
        assert started == ["valve", "valve"]
    async with rehearse({"valve": Worker}, state=tmp_path) as show:
        await online(show, "valve")


@rehearsal
async def test_safe_commands_wait_for_a_broker_that_is_away_and_go_first() -> None:
    """A panic while the broker is down: `safe()`'s commands never grow too old, and are the first thing the broker gets."""

    class Worker(Valve):
        async def do_later(self, arg: str | None) -> None:
            await anyio.sleep(1)
            self.command("other", "scare")
            self.panic("from inside")

    async with rehearse({"valve": Worker}) as show:
        await online(show, "valve")
        show.send("valve", "later")
        await show.expect("valve/cmd")
        await show.run_for(0.5)
        show.broker.down(for_s=30)
        await show.expect("valve/cmd", {"action": "close", "args": None}, within_s=60)
        assert lines(show, "scare") == []
        since = [line[14:] for line in str(show.transcript).partition("the broker is up")[2].splitlines()]
        hosts = [line for line in since if line.startswith(("valve/cmd", "valve/telemetry", "worker_host/"))]
        assert hosts[0].startswith("valve/cmd")


@rehearsal
@pytest.mark.parametrize("base", [BaseWorker, AsyncioWorker])
async def test_a_worker_may_panic(base: type[Any]) -> None:
    """`self.panic(reason)` stops everything, the worker that called it included, and is said with its name."""

    class Worker(base):  # type: ignore[misc]
        async def do_fall(self, arg: str | None) -> None:
            self.panic("a guest fell")
            await (anyio.sleep(60) if base is BaseWorker else asyncio.sleep(60))
            self.telemetry("walks", "on")

    async with rehearse({"stairs": Worker, "valve": Valve}) as show:
        await online(show, "stairs", "valve")
        show.send("stairs", "fall")
        found = await report(show, by="stairs", reason="a guest fell")
        assert list(found["safe"]) == ["valve"]
        await show.run_for(100)
        assert lines(show, "walks") == []
