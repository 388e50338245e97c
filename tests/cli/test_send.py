"""`send` hands one command to the broker and says whether anybody is there to hear it."""

from __future__ import annotations

import pytest

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
    """Status 1; the password is not shown. With the right one, from the option, it goes out."""
    broker = make_mosquitto(users={"haunt": "pumpkin"})
    address = f"127.0.0.1:{broker.port}"
    wrong = await terminal.run("send", "fogger", "fire", "--broker", f"mqtt://haunt:turnip@{address}")
    right = await terminal.run(
        "send", "fogger", "fire", "--broker", f"mqtt://haunt:pumpkin@{address}", MQTT_PASSWORD="turnip"
    )
    assert wrong.status == 1
    assert len(wrong.err.splitlines()) == 1
    assert "turnip" not in wrong.err
    assert right.status == 0, right.err


async def test_a_misspelt_variable_is_a_warning(terminal: Terminal, broker: Mosquitto) -> None:
    """Nothing is silently ignored: MQTT_HSOT is named with what was meant."""
    finished = await terminal.run("send", "x", "fire", "--broker", f"127.0.0.1:{broker.port}", MQTT_HSOT="broker")
    assert finished.status == 0
    assert "MQTT_HSOT" in finished.err
    assert "did you mean MQTT_HOST?" in finished.err
