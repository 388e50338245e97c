"""STOP on the stage, where it is hard: what hangs, what runs in threads, what is between two instances, what fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trio

from halloween_host import BaseWorker
from halloween_host.testing import rehearsal, rehearse
from tests.panics import Valve, lines, online, report
from worker_host.base import BaseWorker as AsyncioWorker


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
        assert "test_panic_trouble.py:" in found["unsafe"]["fogger"]
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
async def test_what_a_thread_says_after_the_panic_does_not_leave(base: type[Any]) -> None:
    """Threads cannot be cancelled, but the door is shut: neither its telemetry nor its command is heard, and `safe()` is."""
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
        await report(show)
        await show.run_for(5)
        await show.expect("fogger/cmd", {"action": "close", "args": None})
        assert release.is_set()
        assert lines(show, "fired") == []
        assert lines(show, 'valve/cmd {"action": "open"') == []


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
