"""An order to the host is answered on `worker_host/ack`, and its outcome is the exit status."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cli.stand_in import StandIn, ack, done
from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto, free_port


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("restart", "coffin"), "coffin is online again\n"),
        (("reload", "coffin"), "coffin is online with its new code\n"),
        (("stop", "coffin"), "coffin is stopped\n"),
        (("start", "coffin"), "coffin is online\n"),
        (("rearm",), "rearmed: the workers start anew\n"),
    ],
)
async def test_an_order_that_is_done_is_status_0(
    wired: Terminal, broker: Mosquitto, arguments: tuple[str, ...], said: str
) -> None:
    """The host gets action, prop, id, ts and ttl; stdout says what is so now."""
    async with StandIn(broker) as host:
        host.answers["worker_host", arguments[0]] = done()
        finished = await wired.run(*arguments)
    assert (finished.status, finished.out, finished.err) == (0, said, "")
    ((prop_id, payload),) = host.heard
    assert (prop_id, payload["action"], payload["args"]) == (
        "worker_host",
        arguments[0],
        "".join(arguments[1:]) or None,
    )
    assert isinstance(payload["id"], str)
    assert 0 <= time.time() - payload["ts"] < 30
    assert payload["ttl"] == 5


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (ack("failed", error="start() did not return in 30 s"), 1, "failed restart: start() did not return in 30 s"),
        (ack("cancelled", error="the host stops"), 1, "cancelled restart: the host stops"),
        (ack("refused", error="the host is latched by a panic: smoke; send rearm"), 3, "refused restart: the host is"),
    ],
)
async def test_an_order_that_is_not_done_says_why(
    wired: Terminal, broker: Mosquitto, answer: dict[str, Any], status: int, said: str
) -> None:
    """One line on stderr with the host's own reason; 1 failed and cancelled, 3 refused."""
    async with StandIn(broker) as host:
        host.answers["worker_host", "restart"] = [ack("accepted"), answer]
        finished = await wired.run("restart", "coffin")
    assert (finished.status, finished.out) == (status, "")
    assert finished.err.startswith(f"halloween-host: the host {said}")
    assert len(finished.err.splitlines()) == 1


async def test_no_answer_is_status_4_and_says_what_is_known(wired: Terminal, broker: Mosquitto) -> None:
    """Nobody there, an offline host, and one that took it and is not through are three lines."""
    unknown = await wired.run("rearm", "--timeout", "0.4")
    async with StandIn(broker) as host:
        host.answers["worker_host", "restart"] = [ack("accepted")]
        slow = await wired.run("restart", "coffin", "--timeout", "0.4")
    await broker.publish("halloween/worker_host/status/availability", "offline", retain=True)
    offline = await wired.run("rearm", "--timeout", "0.4")
    assert unknown.status == slow.status == offline.status == 4
    assert "no answer from the host in 0.4 s" in unknown.err
    assert "no host was ever online there" in unknown.err
    assert "the host took it and has not finished in 0.4 s" in slow.err
    assert "the host is offline there" in offline.err


async def test_others_acks_are_not_ours(wired: Terminal, broker: Mosquitto) -> None:
    """An ack of another id, of no id, or that is none is passed over."""
    async with StandIn(broker) as host:
        stranger = [{**ack("failed"), "id": "other"}, {**ack("failed"), "id": None}, {"outcome": "perhaps"}]
        host.answers["worker_host", "stop"] = [*stranger, *done()]
        finished = await wired.run("stop", "coffin")
    assert finished.status == 0, finished.err


@pytest.mark.parametrize(
    "command", ["rearm", "restart coffin", "reload coffin", "stop coffin", "start coffin", "ping", "status"]
)
async def test_without_a_broker_it_is_one_line(terminal: Terminal, command: str) -> None:
    """Status 1 with address and cause."""
    port = free_port()
    finished = await terminal.run(*command.split(), "--broker", f"127.0.0.1:{port}")
    assert (finished.status, finished.out) == (1, "")
    assert f"127.0.0.1:{port}" in finished.err
    assert len(finished.err.splitlines()) == 1
