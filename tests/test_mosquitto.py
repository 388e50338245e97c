"""The tests' own tool is tested: a broker that starts, dies and comes back, and a listener that keeps every line."""

from __future__ import annotations

import socket

import pytest

from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto


async def test_a_listener_hears_what_was_published(broker: Mosquitto) -> None:
    """Topic, payload (line feeds too), QoS and retain come through; each line serves one expectation."""
    await broker.publish("a/kept", "old", retain=True)
    async with broker.listen("a/#") as listener:
        kept = await listener.expect("a/kept old")
        assert (kept.retain, kept.qos, kept.payload) == (True, 1, b"old")
        await broker.publish("a/b", "two\nlines")
        await broker.publish("a/c", b"")
        await listener.expect_in_order("a/b two\nlines", lambda line: line.topic == "a/c" and line.payload == b"")
        await listener.silence("a/b two\nlines", for_s=0.05)
        with pytest.raises(AssertionError, match="not heard"):
            await listener.expect("a/never", within_s=0.05)


def test_a_broker_comes_back_on_its_port(broker: Mosquitto) -> None:
    """kill() frees the port, start() takes it again, and the log tells both starts."""
    broker.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port))
    broker.start()
    broker.restart()
    assert broker.log().count(" running") == 3


def test_a_wrong_config_fails_with_the_log(make_mosquitto: MakeMosquitto) -> None:
    """The text of the error is what mosquitto said."""
    with pytest.raises(RuntimeError, match="no_such_option"):
        make_mosquitto(config_lines=["no_such_option 1"])


async def test_users_keep_strangers_out(make_mosquitto: MakeMosquitto) -> None:
    """With `users`, our own helpers log in as the first of them, and an ACL binds."""
    broker = make_mosquitto(users={"ann": "secret"}, acl=["user ann", "topic read #", "topic write ok/#"])
    async with broker.listen("#") as listener:
        await broker.publish("no/x", "1")
        await broker.publish("ok/x", "1")
        await listener.expect("ok/x 1")
        assert listener.lines == ["ok/x 1"]
