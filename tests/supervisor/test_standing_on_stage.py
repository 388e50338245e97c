"""A worker's standing under the whole host, on the stage: what a subscriber sees of it."""

from __future__ import annotations

import json

import trio

from halloween_host import BaseWorker
from halloween_host.testing import Show, rehearsal, rehearse
from tests.supervisor.bench import HEALTH


class Slow(BaseWorker):
    mailbox_capacity = 10

    async def do_wait(self, arg: str | None) -> None:
        await trio.sleep(float(arg or 30))


async def healths(show: Show, *wanted: tuple[str, str | None], within_s: float = 5) -> None:
    """Each of these, one after another, with others between."""
    for state, reason in wanted:

        def fits(text: str, state: str = state, reason: str | None = reason) -> bool:
            found = json.loads(text)
            return bool(found["state"] == state and (found["reason"] or "").startswith(reason or ""))

        await show.expect(HEALTH, fits, within_s=within_s)


@rehearsal
async def test_a_crash_on_the_stage_is_offline_starting_degraded_online() -> None:
    """The reasons name the crash; the restart stays counted."""
    async with rehearse({"coffin": BaseWorker}) as show:
        await healths(show, ("online", None))
        show.crash("coffin", RuntimeError("boom"))
        crash = "the rehearsal's crash crashed: RuntimeError: boom"
        await healths(show, ("offline", crash), ("starting", None), ("degraded", f"restarted after: {crash}"))
        await healths(show, ("online", None), within_s=61)
        assert show.health("coffin").restarts == 1


@rehearsal
async def test_a_half_open_link_on_the_stage_is_offline_by_link_on_the_presence() -> None:
    """Health cannot go out without the host's connection: availability says it, and health follows with the link."""
    async with rehearse({"coffin": BaseWorker}) as show:
        await show.expect("coffin/status/availability", "online")
        show.broker.cut("halloween-stage", for_s=40)
        await show.expect("coffin/status/availability", "offline", within_s=23)
        assert show.health("coffin").reason == "link"
        await show.expect("coffin/status/availability", "online", within_s=60)
        assert show.health("coffin").reason is None


@rehearsal
async def test_a_mailbox_on_the_stage_that_fills_is_degraded_and_what_it_refuses_is_counted() -> None:
    """Six of ten running is over half; the eleventh and twelfth are refused."""
    async with rehearse({"coffin": Slow}) as show:
        await healths(show, ("online", None))
        for _ in range(6):
            show.send("coffin", "wait")
        await healths(show, ("degraded", "its mailbox is over half full"))
        for _ in range(6):
            show.send("coffin", "wait")
        await show.run_for(2)
        assert show.health("coffin").refused == 2
        await healths(show, ("online", None), within_s=40)
        assert show.health("coffin").refused == 2
