"""Commands to the host itself, on the stage: what each does, and what its ack says."""

from __future__ import annotations

import json
from typing import Any

import anyio

from halloween_host import BaseWorker, topics
from halloween_host.testing import Show, rehearsal, rehearse


class Lamp(BaseWorker):
    async def start(self) -> None:
        await super().start()
        self.telemetry("started", True)

    async def stop(self) -> None:
        self.telemetry("stopped", True)
        await super().stop()


class Stubborn(BaseWorker):
    async def start(self) -> None:
        raise OSError("no relay")


class Slow(BaseWorker):
    start_timeout_s = 2.0

    async def start(self) -> None:
        await anyio.sleep_forever()


async def ack(show: Show, outcome: str, **wanted: Any) -> dict[str, Any]:
    """The next ack of the host with this outcome."""

    def fits(text: str) -> bool:
        found = json.loads(text)
        return found["outcome"] == outcome and all(found[key] == value for key, value in wanted.items())

    found: dict[str, Any] = json.loads(await show.expect(topics.HOST_ACK, fits, within_s=40))
    return found


@rehearsal
async def test_stop_start_and_restart() -> None:
    """Each is accepted, done in good order, and acked when the worker is what it was asked to be."""
    async with rehearse({"lamp": Lamp}) as show:
        await show.expect("lamp/status/availability", "online")
        show.send(topics.HOST, "stop", "lamp", id=1)
        await ack(show, "accepted", id=1, command="stop")
        await ack(show, "done", id=1)
        await show.expect("lamp/status/availability", "offline")
        await show.expect("lamp/telemetry/stopped")
        assert show.health("lamp").reason == "stopped by the operator"
        await show.run_for(600)
        show.send(topics.HOST, "start", "lamp")
        await ack(show, "done", command="start")
        await show.expect("lamp/status/availability", "online")
        show.send(topics.HOST, "restart", "lamp")
        await ack(show, "done", command="restart")
        await show.expect("lamp/status/availability", "offline")
        await show.expect("lamp/status/availability", "online")
        assert show.health("lamp").restarts == 0


@rehearsal
async def test_a_restart_that_does_not_succeed_is_failed_and_says_why() -> None:
    """A `start()` that raises or does not return: the ack has the reason."""
    async with rehearse({"stubborn": Stubborn, "slow": Slow}) as show:
        await show.run_for(1)
        show.send(topics.HOST, "restart", "stubborn")
        assert "OSError: no relay" in (await ack(show, "failed", command="restart"))["error"]
        show.send(topics.HOST, "restart", "slow")
        assert "not online in time" in (await ack(show, "failed", command="restart"))["error"]


@rehearsal
async def test_ping_and_status() -> None:
    """`status` names every worker with its health and availability, the panic, the uptime and the host's clock."""
    async with rehearse({"lamp": Lamp}) as show:
        await show.expect("lamp/status/availability", "online")
        await show.run_for(5)
        show.publish(topics.HOST_COMMAND, "ping")
        assert (await ack(show, "done", command="ping"))["result"] == "pong"
        show.send(topics.HOST, "status", id="s")
        result = (await ack(show, "done", id="s"))["result"]
        assert result["workers"]["lamp"]["availability"] == "online"
        assert result["workers"]["lamp"]["state"] == "online"
        assert result["panic"] is None
        assert result["uptime_s"] == 5
        assert result["now"] > 1_700_000_000


@rehearsal
async def test_what_is_no_host_command_is_refused_with_a_hint() -> None:
    """A typo, a prop that is not there, none at all, a retained one: one line and, but for the last, an ack."""
    async with rehearse({"lamp": Lamp}) as show:
        for text, error in (
            ("restrat lamp", "did you mean 'restart'"),
            ("restart lmap", "there is no worker 'lmap'; did you mean 'lamp'?"),
            ("stop", "say which: stop coffin"),
            ("{broken", "broken JSON"),
        ):
            show.publish(topics.HOST_COMMAND, text)
            assert error in (await ack(show, "refused"))["error"]
        show.publish(topics.HOST_COMMAND, "stop lamp", retain=True)
        await show.expect(topics.HOST_ERROR, lambda line: "a retained command was refused" in line)
        await show.run_for(5)
        assert show.health("lamp").state.value == "online"


@rehearsal
async def test_an_old_or_doubled_one_is_not_done_but_stop_is() -> None:
    """`restart` goes by its `ttl` and runs once an `id`; `stop` ignores both, since a phone's clock may be wrong."""
    async with rehearse({"lamp": Lamp}) as show:
        await show.expect("lamp/status/availability", "online")
        show.send(topics.HOST, "restart", "lamp", ts=1.0, ttl=5)
        assert "old" in (await ack(show, "refused"))["error"]
        for _ in range(2):
            show.send(topics.HOST, "restart", "lamp", id=7)
            await ack(show, "done", id=7)
        assert str(show.transcript).count("lamp/telemetry/stopped") == 1
        show.send(topics.HOST, "stop", "lamp", ts=1.0, ttl=5, id=7)
        await ack(show, "done", id=7, command="stop")


@rehearsal
async def test_while_latched_little_is_done() -> None:
    """`restart` and `start` are refused; a `stop` is remembered over the rearm, the others come back."""
    async with rehearse({"lamp": Lamp, "other": Lamp}) as show:
        for prop in ("lamp", "other"):
            await show.expect(f"{prop}/status/availability", "online")
        show.panic("test")
        await ack(show, "done", command="panic")
        for action in ("start", "restart"):
            show.send(topics.HOST, action, "lamp")
            assert "latched by a panic: test" in (await ack(show, "refused", command=action))["error"]
        show.send(topics.HOST, "stop", "lamp")
        await ack(show, "done", command="stop")
        show.rearm()
        await ack(show, "done", command="rearm")
        await show.expect("other/status/availability", "online")
        await show.run_for(60)
        assert show.health("lamp").state.value == "offline"
        show.send(topics.HOST, "start", "lamp")
        await ack(show, "done", command="start")


@rehearsal
async def test_the_order_of_panic_and_rearm_is_kept() -> None:
    """Sent in one moment, the last word counts: a panic after a rearm is not rearmed away."""
    async with rehearse({"lamp": Lamp}) as show:
        await show.expect("lamp/status/availability", "online")
        for _ in range(20):
            show.rearm()
            show.panic()
            await show.run_for(2)
            assert show.report.active
            show.rearm()
            await show.run_for(2)
            assert not show.report.active
