"""A worker that blocks stops everybody on the stage but the broker; what fell due meanwhile happens at once, and nothing late."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
import trio

from halloween_host import BaseWorker, action
from halloween_host.errors import StageError
from halloween_host.testing import StageBroker, StageClient, rehearsal, rehearse
from halloween_host.testing._seed import EPOCH
from worker_host.base import BaseWorker as AsyncioWorker

PROP = "halloween-stage-coffin"


class Blocker(BaseWorker):
    block: Callable[[], None]

    async def do_block(self) -> None:
        self.block()


class Lamp(BaseWorker):
    """Tells `opens` with each handler's first line."""

    opens: Callable[[str], None]

    async def do_open(self, arg: str) -> None:
        self.opens(arg)
        await anyio.sleep(0.001)


class LampInThread(Lamp):
    def do_open(self, arg: str) -> None:  # type: ignore[override] # the other kind of handler
        self.opens(arg)


class AsyncioLamp(AsyncioWorker):
    opens: Callable[[str], None]

    async def do_open(self, arg: str) -> None:
        self.opens(arg)


class AsyncioLampInThread(AsyncioWorker):
    opens: Callable[[str], None]

    def do_open(self, arg: str) -> None:
        self.opens(arg)


class Opens(BaseWorker):
    async def do_open(self) -> None:
        self.telemetry("opened", self.prop_id)


@rehearsal
async def test_nobody_but_the_broker_gets_a_turn() -> None:
    """Timers come at its end and none is lost; a stranger's deeds come at their time."""
    async with StageBroker() as broker, trio.open_nursery() as nursery:
        began, woken = trio.current_time(), list[float]()
        deeds: list[float] = []

        async def wake(after_s: float) -> None:
            await trio.sleep(after_s)
            woken.append(round(trio.current_time() - began, 6))

        for after_s in (1, 2, 7):
            nursery.start_soon(wake, after_s)
            broker.later(after_s, lambda: deeds.append(round(trio.current_time() - began, 6)))
        await trio.testing.wait_all_tasks_blocked()
        broker.block(5)
        assert woken == []
        assert deeds == [1, 2]
        trio.lowlevel.current_clock().jump(2)  # type: ignore[attr-defined] # it is a MockClock
        await trio.testing.wait_all_tasks_blocked()
        assert woken == [7, 7, 7]
        assert deeds == [1, 2, 7]


async def test_it_takes_a_clock_that_can_be_moved() -> None:
    async with StageBroker() as broker:
        with pytest.raises(StageError, match="a clock that it can move"):
            broker.block(1)


@rehearsal
async def test_a_short_block_costs_no_connection() -> None:
    """Half a keep-alive is no harm: nothing is said of anybody, and what was sent meanwhile is done."""
    async with rehearse({"coffin": Opens}) as show:
        await show.expect("coffin/status/availability", "online")
        show.broker.later(2, lambda: show.send("coffin", "open"))
        show.broker.block(5)
        await show.expect("coffin/telemetry/opened", "coffin", within_s=0.1)
        assert "disconnect" not in str(show.transcript)


@rehearsal
async def test_a_long_block_is_seen_as_offline_and_recovered_from() -> None:
    """1.5 × keep-alive after its last packet the broker sends each will; everybody is back once the loop turns."""
    async with rehearse({"coffin": Opens, "lamp": AsyncioLamp}) as show:
        await show.expect("coffin/status/availability", "online")
        await show.run_for(30)
        seen = list[tuple[bytes, bytes]]()
        topics = [f"halloween/{prop_id}/status/availability" for prop_id in ("coffin", "lamp")]

        def look() -> None:
            seen.append((show.broker.retained[topics[0]], show.broker.retained[topics[1]]))

        show.broker.later(4.9, look)
        show.broker.later(15.1, look)
        show.broker.block(20)
        assert seen == [(b"online", b"online"), (b"offline", b"offline")]
        await show.expect("coffin/status/availability", "offline")
        await show.expect("coffin/status/availability", "online", within_s=15)
        await show.run_for(10)
        assert [show.broker.retained[each] for each in topics] == [b"online", b"online"]


@rehearsal
async def test_a_cable_that_was_pulled_before_stays_pulled() -> None:
    """Its client gives up once it gets a turn, and not before."""
    async with StageBroker() as broker, StageClient(broker, identifier=PROP) as client:
        broker.cut(PROP)
        broker.block(40)
        assert client.connected
        assert broker.connected == []
        await client.wait_disconnected()


@pytest.mark.parametrize("worker", [Lamp, LampInThread, AsyncioLamp, AsyncioLampInThread])
@rehearsal
async def test_what_grew_too_old_meanwhile_is_refused(worker: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it came meanwhile, or in the same moment and waited for its handler's first line; what is younger is done."""
    clock, began = trio.lowlevel.current_clock(), trio.current_time()
    opened: dict[str, float] = {}
    lamps = [f"lamp{number}" for number in range(6)]

    def send(at: float, ttl: float) -> None:
        for lamp in lamps:
            name = f"{lamp} {at} {ttl}"
            show.send(lamp, "open", name, id=name, ts=EPOCH + at, ttl=ttl)

    def block() -> None:
        show.broker.later(1, partial(send, 1, 3))
        show.broker.later(1, partial(send, 1, 60))
        show.broker.block(5)

    def opens(name: str) -> None:
        opened[name] = clock.current_time() - began

    monkeypatch.setattr(Blocker, "block", staticmethod(block), raising=False)
    monkeypatch.setattr(worker, "opens", staticmethod(opens), raising=False)
    async with rehearse({"coffin": Blocker, **dict.fromkeys(lamps, worker)}) as show:
        await show.run_for(0)
        await show.expect("coffin/status/availability", "online")
        show.send("coffin", "block")
        send(0, 0.5)
        await show.run_for(6)
        ends = [json.loads(each.payload) for lamp in lamps for each in show._heard[f"halloween/{lamp}/ack"]]
    outcomes = {end["id"]: end["outcome"] for end in ends if end["outcome"] != "accepted"}
    for lamp in lamps:
        assert outcomes[f"{lamp} 1 3"] == "refused"
        assert outcomes[f"{lamp} 1 60"] == "done"
        assert opened[f"{lamp} 1 60"] == 5
        assert outcomes[f"{lamp} 0 0.5"] == ("done" if f"{lamp} 0 0.5" in opened else "refused")
        assert opened.get(f"{lamp} 0 0.5", 0) == 0, "carried out 4.5 s after its ttl"
    errors = [end["error"] for end in ends if end["outcome"] == "refused"]
    assert errors.count("it is 4.0 s old and was worth 3 s") == len(lamps)
    assert worker is AsyncioLampInThread or "its turn came 4.5 s after its ttl was over" in errors


class CoolLamp(Lamp):
    @action(cooldown=600)
    async def do_open(self, arg: str) -> None:
        await super().do_open(arg)


@rehearsal
async def test_what_came_too_late_cools_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cool-down begins with a handler: the next command is carried out."""
    lamps = [f"lamp{number}" for number in range(6)]
    opened: list[str] = []
    monkeypatch.setattr(Blocker, "block", staticmethod(lambda: show.broker.block(5)), raising=False)
    monkeypatch.setattr(CoolLamp, "opens", staticmethod(opened.append), raising=False)
    async with rehearse({"coffin": Blocker, **dict.fromkeys(lamps, CoolLamp)}) as show:
        await show.expect("coffin/status/availability", "online")
        show.send("coffin", "block")
        for lamp in lamps:
            show.send(lamp, "open", f"{lamp} first", id=f"{lamp} first", ts=EPOCH, ttl=0.5)
        await show.run_for(6)
        late = [lamp for lamp in lamps if f"{lamp} first" not in opened]
        for lamp in lamps:
            show.send(lamp, "open", f"{lamp} second", id=f"{lamp} second")
        await show.run_for(1)
    assert late
    assert [lamp for lamp in lamps if f"{lamp} second" in opened] == late


@rehearsal
async def test_what_is_said_on_a_connection_that_is_gone_reaches_nobody() -> None:
    """The broker ended it meanwhile, and whoever stood still does not know that yet."""
    async with StageBroker() as broker, StageClient(broker, identifier=PROP) as client:
        published: list[bytes] = []
        broker.observers.append(lambda event: published.append(event.payload) if event.kind == "publish" else None)
        client.publish_nowait("a", "on its way")
        broker.block(40)
        client.publish_nowait("a", "after its end")
        await client.wait_disconnected()
        await trio.testing.wait_all_tasks_blocked()
        assert published == []


@rehearsal
async def test_what_came_before_the_end_of_a_connection_is_read_all_the_same() -> None:
    """And answered by the next connection."""
    async with rehearse({"coffin": Opens}) as show:
        await show.expect("coffin/status/availability", "online")
        show.broker.later(1, lambda: show.send("coffin", "open", id=1))
        show.broker.block(20)
        await show.expect("coffin/ack", lambda text: '"done"' in text)
    said, _, after = str(show.transcript).rpartition("-- halloween-stage: connect")
    assert "keep-alive timeout" in said
    assert "coffin/ack" not in said
    assert "coffin/ack" in after
