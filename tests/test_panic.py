"""STOP on the stage: nothing runs on, every `safe()` runs, the latch stands, and the report tells the truth."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from halloween_host import BaseWorker, topics
from halloween_host.testing import Show, rehearsal, rehearse
from worker_host.base import BaseWorker as AsyncioWorker

Cast = dict[str, type[Any]]


class Valve(BaseWorker):
    """Opens for a minute; closes by `safe()`, which tells the firmware."""

    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick)

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await anyio.sleep(1)

    async def do_open(self, arg: str | None) -> None:
        try:
            self.telemetry("valve", "open")
            await anyio.sleep(60)
        finally:
            self.telemetry("valve", "cancelled")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


class OldValve(AsyncioWorker):
    """The same, as 2025 wrote it."""

    async def start(self) -> None:
        await super().start()
        self.spawn(self._tick())

    async def _tick(self) -> None:
        while True:
            self.telemetry("tick", 1)
            await asyncio.sleep(1)

    async def do_open(self, arg: str | None) -> None:
        try:
            self.telemetry("valve", "open")
            await asyncio.sleep(60)
        finally:
            self.telemetry("valve", "cancelled")

    async def safe(self) -> None:
        self.command(self.prop_id, "close")


BOTH: Cast = {"native": Valve, "legacy": OldValve}


def lines(show: Show, part: str) -> list[str]:
    return [line[14:] for line in str(show.transcript).splitlines() if part in line]


async def online(show: Show, *props: str) -> None:
    for prop in props:
        await show.expect(f"{prop}/status/availability", "online")


async def report(show: Show, **wanted: object) -> dict[str, Any]:
    """The next complete report."""

    def complete(text: str) -> bool:
        found = json.loads(text)
        return found["took_ms"] is not None and all(found[key] == value for key, value in wanted.items())

    found: dict[str, Any] = json.loads(await show.expect(topics.HOST_PANIC, complete))
    return found


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


def _hanging(base: type[Any], release: threading.Event) -> type[Any]:
    class Worker(base):  # type: ignore[misc]
        async def do_hang(self, arg: str | None) -> None:
            if base is BaseWorker:
                with trio.CancelScope(shield=True):
                    await anyio.sleep(30)
                    self.telemetry("hung", "on")
            else:
                for _ in range(30):
                    try:
                        await asyncio.sleep(1)
                    except asyncio.CancelledError:
                        continue
                self.telemetry("hung", "on")

        async def safe(self) -> None:
            self.command(self.prop_id, "close")

    return Worker


@rehearsal
@pytest.mark.parametrize("base", [BaseWorker, AsyncioWorker])
async def test_what_refuses_to_end_is_named_and_stays_offline_until_it_has_ended(base: type[Any]) -> None:
    """A handler that ignores its cancellation is `unsafe` with its line, what it says later does not leave, its `safe()` ran
    all the same, and after a rearm it comes back when the old task has ended and not before."""
    async with rehearse({"fogger": _hanging(base, threading.Event()), "valve": Valve}) as show:
        await online(show, "fogger", "valve")
        show.send("fogger", "hang")
        await show.expect("fogger/cmd")
        await show.run_for(0.5)
        show.panic()
        found = await report(show)
        assert "hung in " in found["unsafe"]["fogger"]
        assert "test_panic.py:" in found["unsafe"]["fogger"]
        assert list(found["safe"]) == ["valve"]
        assert found["took_ms"] <= 1_200
        await show.expect("fogger/cmd", {"action": "close", "args": None})
        show.rearm()
        await online(show, "valve")
        with pytest.raises(Exception, match="was not published"):
            await show.expect("fogger/status/availability", "online", within_s=20)
        assert "waits for the end of" in (show.health("fogger").reason or "")
        await show.expect("fogger/status/availability", "online", within_s=20)
        assert lines(show, "hung on") == []


@rehearsal
@pytest.mark.parametrize("base", [BaseWorker, AsyncioWorker])
async def test_a_thread_that_runs_on_is_unsafe(base: type[Any]) -> None:
    """Threads cannot be cancelled: it is named with its line, and what it says does not leave."""
    release = threading.Event()

    class Worker(base):  # type: ignore[misc]
        def do_fire(self, arg: str | None) -> None:
            release.wait(10)
            self.telemetry("fired", "on")
            self.command("valve", "open")

        async def safe(self) -> None:
            self.command(self.prop_id, "close")

    async with rehearse({"fogger": Worker, "valve": Valve}) as show:
        await online(show, "fogger", "valve")
        show.send("fogger", "fire")
        await show.expect("fogger/cmd")
        show.panic()
        threading.Timer(0.5, release.set).start()
        found = await report(show)
        release.set()
        await show.run_for(5)
        assert lines(show, "fired") == []
        assert lines(show, 'valve/cmd {"action": "open"') == []
        assert found["unsafe"] == {} or "thread still in do_fire" in found["unsafe"]["fogger"]


MOMENTS: dict[str, Callable[[], Any]] = {
    "sleep": lambda: anyio.sleep(1_000),
    "forever": anyio.sleep_forever,
    "lock": lambda: anyio.Event().wait(),
}


@rehearsal
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_worker_inside_start_is_stopped_too(moment: str) -> None:
    """Whatever `start()` waits for, it is cancelled, `safe()` runs on the instance, and the worker is offline."""

    class Worker(BaseWorker):
        async def start(self) -> None:
            await MOMENTS[moment]()

        async def safe(self) -> None:
            self.command(self.prop_id, "close")

    async with rehearse({"slow": Worker}) as show:
        await show.run_for(1)
        show.panic()
        assert list((await report(show, unsafe={}))["safe"]) == ["slow"]
        await show.expect("slow/cmd", {"action": "close", "args": None})


@rehearsal
async def test_safe_runs_on_a_worker_between_two_instances() -> None:
    """A crashed worker that waits for its restart is made safe once by the crash and again by the panic, and does not restart."""

    class Worker(Valve):
        async def _tick(self) -> None:
            raise RuntimeError("boom")

    async with rehearse({"valve": Worker}, environ={"WORKER_RESTART_LIMIT": "1"}) as show:
        await show.run_for(30)
        assert show.health("valve").state.value == "offline"
        before = len(lines(show, '"close"'))
        show.panic()
        assert list((await report(show, unsafe={}))["safe"]) == ["valve"]
        await show.run_for(300)
        assert len(lines(show, '"close"')) == before + 1
        assert show.health("valve").reason == "panic: rehearsed"


@rehearsal
async def test_a_safe_that_fails_or_hangs_is_unsafe_and_delays_nobody() -> None:
    """Each has its own deadline of a second (a class attribute): the report is there after it, with the reason by prop."""

    class Fails(BaseWorker):
        async def safe(self) -> None:
            raise OSError("no relay")

    class Hangs(BaseWorker):
        async def safe(self) -> None:
            await anyio.sleep_forever()

    class Slow(BaseWorker):
        safe_timeout_s = 3.0

        async def safe(self) -> None:
            await anyio.sleep(2)

    async with rehearse({"fails": Fails, "hangs": Hangs, "slow": Slow, "valve": Valve}) as show:
        await online(show, "fails", "hangs", "slow", "valve")
        began = show.now
        show.panic()
        await show.expect("valve/cmd", {"action": "close", "args": None}, within_s=0.2)
        found = await report(show)
        assert show.now - began < 3.2
        assert sorted(found["safe"]) == ["slow", "valve"]
        assert found["unsafe"]["fails"].startswith("safe() failed: OSError: no relay")
        assert found["unsafe"]["hangs"] == "safe() took longer than 1 s"


@rehearsal
async def test_a_second_panic_while_one_runs_does_no_harm() -> None:
    """Both get the report of the one; `safe()` runs once."""

    class Slow(Valve):
        async def safe(self) -> None:
            await anyio.sleep(0.5)
            await super().safe()

    async with rehearse({"valve": Slow}) as show:
        await online(show, "valve")
        show.panic("first")
        await show.run_for(0.1)
        show.panic("second")
        await report(show, reason="first")
        await show.run_for(2)
        assert len(lines(show, '"close"')) == 1


@rehearsal
async def test_a_safe_that_is_something_else_is_not_called() -> None:
    """2025's workers may call anything `safe`: only an ``async def safe(self)`` counts."""

    class Old(AsyncioWorker):
        safe = "combination 12-34-56"

    class Older(AsyncioWorker):
        async def safe(self, combination: str) -> None:
            self.telemetry("safe", combination)

    async with rehearse({"old": Old, "older": Older}) as show:
        await online(show, "old", "older")
        show.panic()
        assert (await report(show))["no_safe"] == ["old", "older"]
