"""`ask` returns what the other prop's handler returned, or raises what became of the command; in both dialects, on the stage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from halloween_host import BaseWorker
from halloween_host.testing import Show, rehearsal, rehearse
from worker_host.base import BaseWorker as AsyncioWorker

BASES = pytest.mark.parametrize("base", [BaseWorker, AsyncioWorker], ids=["native", "legacy"])


class Scale(BaseWorker):
    """Whom the others ask."""

    async def do_weigh(self, arg: str | None) -> dict[str, object]:
        return {"kg": 81.5, "of": arg}

    async def do_fail(self, arg: str | None) -> None:
        raise OSError("no scale")

    async def do_wait(self, arg: str | None) -> None:
        await anyio.sleep(60)


def asking(base: type[Any], target: str = "scale") -> type[Any]:
    """A worker that asks for the action it is given, and says what came of it."""

    class Asker(base):  # type: ignore[misc]
        async def do_ask(self, arg: str | None) -> None:
            try:
                answer = await self.ask(target, arg, "guest", timeout=2.0)
            except (Exception, asyncio.CancelledError) as error:
                self.telemetry("raised", f"{type(error).__name__}: {error}")
                raise
            self.telemetry("answer", json.dumps(answer))

    return Asker


async def open_both(show: Show) -> None:
    for prop in ("asker", "scale"):
        await show.expect(f"{prop}/status/availability", "online")


@rehearsal
@BASES
async def test_the_handlers_value_comes_back(base: type[Any]) -> None:
    """What it returned is the answer, and no trace of the question is left."""
    async with rehearse({"asker": asking(base), "scale": Scale}) as show:
        await open_both(show)
        for _ in range(2):
            show.send("asker", "ask", "weigh")
            await show.expect("asker/telemetry/answer", {"kg": 81.5, "of": "guest"})


RAISED = {
    "fail": "CommandFailed: scale failed at 'fail': OSError: no scale",
    "nothing": "CommandRefused: scale refused 'nothing': no such action",
    "wait": "TimeoutError: scale did not answer 'wait' in 2 s",
}


@rehearsal
@BASES
@pytest.mark.parametrize("action", RAISED)
async def test_what_became_of_it_is_raised(base: type[Any], action: str) -> None:
    """A handler that raised, an action that is not there, an answer that does not come: each is an error of its own."""
    async with rehearse({"asker": asking(base), "scale": Scale}) as show:
        await open_both(show)
        show.send("asker", "ask", action)
        await show.expect("asker/telemetry/raised", _beginning(RAISED[action]))


@rehearsal
@BASES
async def test_a_crash_of_the_one_who_was_asked_is_told(base: type[Any]) -> None:
    """Its handler was cancelled: so says the error."""
    async with rehearse({"asker": asking(base), "scale": Scale}) as show:
        await open_both(show)
        show.send("asker", "ask", "wait")
        await show.run_for(1)
        show.crash("scale")
        await show.expect("asker/telemetry/raised", _beginning("CommandCancelled: scale cancelled 'wait': "))


@rehearsal
@BASES
async def test_firmware_may_answer(base: type[Any]) -> None:
    """A prop without a worker is asked alike: an ack with the question's id on its `ack` topic is the answer."""
    async with rehearse({"asker": asking(base, "lid")}) as show:
        await show.expect("asker/status/availability", "online")
        show.send("asker", "ask", "angle")
        command = json.loads(await show.expect("lid/cmd"))
        assert command["action"] == "angle"
        assert command["ttl"] == 2.0
        for id_, result in (("somebody else's", 1), (command["id"], 42)):
            ack = {"id": id_, "command": "angle", "outcome": "done", "result": result}
            show.publish("halloween/lid/ack", json.dumps(ack))
        await show.expect("asker/telemetry/answer", 42)


@rehearsal
@BASES
async def test_nobody_there_and_no_broker_is_no_answer_in_time(base: type[Any]) -> None:
    """It waits for its timeout and no longer; a question that could not go out does not go out later."""
    async with rehearse({"asker": asking(base, "nobody"), "scale": Scale}) as show:
        await open_both(show)
        show.send("asker", "ask", "weigh")
        await show.expect("asker/telemetry/raised", _beginning("TimeoutError: nobody did not answer"), within_s=2.5)
        show.send("asker", "ask", "open")
        show.broker.drop("halloween-stage")
        show.broker.down(for_s=30)
        await show.run_for(60)
        assert str(show.transcript).count('nobody/cmd {"action": "open"') == 0


def _beginning(text: str) -> Callable[[str], bool]:
    return lambda heard: heard.startswith(text)
