"""`send` hands one command to the broker and says whether anybody is there to hear it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.cli.stand_in import StandIn, ack
from tests.cli.terminal import Terminal
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto, free_port


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (("fire",), '{"action": "fire", "args": null}'),
        (("fire", "750"), '{"action": "fire", "args": "750"}'),
        (("fire", "750", "--json"), '{"action": "fire", "args": 750}'),
        (("say", "hello", "world  wide"), '{"action": "say", "args": "hello world  wide"}'),
        (("move", "-15"), '{"action": "move", "args": "-15"}'),
        (("move", "--", "--fast"), '{"action": "move", "args": "--fast"}'),
        (("set-mode", '{"mode": "götter"}', "--json"), '{"action": "set-mode", "args": {"mode": "götter"}}'),
    ],
)
async def test_the_argument_goes_out_as_it_was_typed(
    wired: Terminal, broker: Mosquitto, arguments: tuple[str, ...], payload: str
) -> None:
    """Text unless --json says otherwise; QoS 1, not retained; the line on stdout says what went where."""
    await broker.publish("halloween/fogger/status/availability", "online", retain=True)
    async with broker.listen("halloween/fogger/cmd") as listener:
        finished = await wired.run("send", "fogger", *arguments)
        line = await listener.expect(f"halloween/fogger/cmd {payload}")
    assert (line.qos, line.retain) == (1, False)
    assert (finished.status, finished.err) == (0, "")
    assert finished.out == f"sent {payload} to halloween/fogger/cmd on 127.0.0.1:{broker.port}\n"


async def test_a_prop_that_is_offline_or_unknown_is_a_warning(wired: Terminal, broker: Mosquitto) -> None:
    """The command goes out all the same, status 0; stderr says that it may be in vain, with the name that was meant."""
    await broker.publish("halloween/fogger/status/availability", "offline", retain=True)
    async with broker.listen("halloween/+/cmd") as listener:
        offline = await wired.run("send", "fogger", "fire")
        unknown = await wired.run("send", "foger", "fire")
        await listener.expect('halloween/fogger/cmd {"action": "fire", "args": null}')
        await listener.expect('halloween/foger/cmd {"action": "fire", "args": null}')
    assert offline.status == unknown.status == 0
    assert "fogger is offline" in offline.err
    assert "no prop 'foger' was ever online on this broker; did you mean 'fogger'?" in unknown.err


async def test_a_broker_that_is_away_is_one_line(terminal: Terminal) -> None:
    """Status 1, address and cause in a line."""
    port = free_port()
    finished = await terminal.run("send", "fogger", "fire", "--broker", f"127.0.0.1:{port}")
    assert (finished.status, finished.out) == (1, "")
    assert len(finished.err.splitlines()) == 1
    assert f"127.0.0.1:{port}" in finished.err
    assert "refused" in finished.err


async def test_a_wrong_password_is_one_line(terminal: Terminal, make_mosquitto: MakeMosquitto) -> None:
    """Status 1; the password is not shown. With the right one, from the option, it goes out, with a warning about the place."""
    broker = make_mosquitto(users={"haunt": "pumpkin"})
    address = f"127.0.0.1:{broker.port}"
    wrong = await terminal.run("send", "fogger", "fire", "--broker", f"mqtt://haunt@{address}", MQTT_PASSWORD="turnip")
    right = await terminal.run(
        "send", "fogger", "fire", "--broker", f"mqtt://haunt:pumpkin@{address}", MQTT_PASSWORD="turnip"
    )
    assert wrong.status == 1
    assert len(wrong.err.splitlines()) == 1
    assert "turnip" not in wrong.err
    assert right.status == 0, right.err
    assert "put it into MQTT_PASSWORD_FILE" in right.err
    assert "pumpkin" not in right.err


async def test_a_misspelt_variable_is_a_warning(terminal: Terminal, broker: Mosquitto) -> None:
    """Nothing is silently ignored: MQTT_HSOT is named with what was meant."""
    finished = await terminal.run("send", "x", "fire", "--broker", f"127.0.0.1:{broker.port}", MQTT_HSOT="broker")
    assert finished.status == 0
    assert "MQTT_HSOT" in finished.err
    assert "did you mean MQTT_HOST?" in finished.err


@pytest.mark.parametrize(
    ("answer", "status", "out", "err"),
    [
        (ack("done", result="wide open"), 0, "wide open\n", ""),
        (ack("done", result={"angle": 90}), 0, '{"angle":90}\n', ""),
        (ack("done"), 0, "done\n", ""),
        (ack("done", error="the result: no JSON"), 0, "done\n", "coffin: the result: no JSON"),
        (ack("failed", error="OSError: no such pin"), 1, "", "coffin failed open: OSError: no such pin"),
        (ack("cancelled", error="restart mode"), 1, "", "coffin cancelled open: restart mode"),
        (ack("refused", error="accepted again in 3.2 s"), 3, "", "coffin refused open: accepted again in 3.2 s"),
    ],
)
async def test_waiting_prints_the_outcome(
    wired: Terminal, broker: Mosquitto, answer: dict[str, Any], status: int, out: str, err: str
) -> None:
    """What was done goes to stdout alone, so that scripts can read it; why it was not, to stderr; the status tells."""
    async with StandIn(broker) as host:
        host.answers["coffin", "open"] = [ack("accepted"), answer]
        finished = await wired.run("send", "--wait", "coffin", "open", "wide")
    assert (finished.status, finished.out) == (status, out)
    assert finished.err == (f"halloween-host: {err}\n" if err else "")
    ((_, payload),) = host.heard
    assert (payload["args"], payload["ttl"]) == ("wide", 5)
    assert isinstance(payload["id"], str)


async def test_waiting_ends_with_the_timeout(wired: Terminal, broker: Mosquitto) -> None:
    """Status 4, and whether somebody took it."""
    async with StandIn(broker) as host:
        host.answers["coffin", "open"] = [ack("accepted")]
        taken = await wired.run("send", "--wait", "--timeout", "0.4", "coffin", "open")
        silent = await wired.run("send", "coffin", "close", "--wait", "--timeout", "0.4")
    assert (taken.status, silent.status) == (4, 4)
    assert "coffin took it and has not finished in 0.4 s" in taken.err
    assert "no answer from coffin" in silent.err


async def test_a_ttl_goes_out_without_waiting_too(wired: Terminal, broker: Mosquitto) -> None:
    """`--ttl` adds ts and ttl; the rest is as it always was."""
    async with StandIn(broker) as host:
        host.answers["coffin", "open"] = [ack("done")]
        waited = await wired.run("send", "coffin", "open", "--wait", "--ttl", "0.5")
        finished = await wired.run("send", "coffin", "open", "--ttl", "2")
        await host.wait_heard("open", times=2)
    assert (waited.status, finished.status) == (0, 0)
    first, second = (payload for _, payload in host.heard)
    assert first["ttl"] == 0.5
    assert second["ttl"] == 2
    assert 0 <= time.time() - second["ts"] < 30
