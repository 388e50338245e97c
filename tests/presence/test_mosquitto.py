"""What a presence relies on is what mosquitto does: wills, takeovers, and places that run out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from structlog.testing import capture_logs

from halloween_host.dial import open_dial
from halloween_host.settings import BrokerSettings
from tests.conftest import MakeMosquitto
from tests.mosquitto import Mosquitto
from tests.presence.coffin import AVAILABILITY, COFFIN, Coffin
from tests.testing.cable import Cable


@asynccontextmanager
async def connected(broker: Mosquitto, port: int | None = None, *, hears: bool = True) -> AsyncIterator[Coffin]:
    """A coffin whose link runs on mosquitto, by way of `port`."""
    settings = BrokerSettings(host=broker.host, port=port or broker.port)
    async with trio.open_nursery() as nursery:
        coffin = Coffin(settings, open_dial(settings))
        coffin.hears = hears
        nursery.start_soon(coffin.link.run)
        yield coffin
        nursery.cancel_scope.cancel()


async def test_mosquitto_has_offline_before_disconnect_and_sends_no_will(broker: Mosquitto) -> None:
    """The birth after the subscription, the last word before DISCONNECT, retained both."""
    async with broker.listen(AVAILABILITY) as listener, connected(broker) as coffin:
        coffin.hears = False
        coffin.say_online()
        await listener.silence(f"{AVAILABILITY} online", 0.2)
        coffin.host_hears()
        await listener.expect(f"{AVAILABILITY} online")
        coffin.presence.say("offline")
        coffin.presence.leave()
        with trio.fail_after(5):
            await coffin.presence.gone.wait()
        await listener.expect(f"{AVAILABILITY} offline")
        await listener.silence(f"{AVAILABILITY} offline", 0.3)
        assert f"Client {COFFIN} disconnected." in broker.log()
    async with broker.listen(AVAILABILITY) as late:
        line = await late.expect(f"{AVAILABILITY} offline")
        assert line.retain


async def test_mosquitto_sends_the_will_of_a_connection_that_is_torn_out(broker: Mosquitto) -> None:
    """As a SIGKILL of the host would: `offline`, retained; this one lives and is back."""
    async with broker.listen(AVAILABILITY) as listener, trio.open_nursery() as nursery:
        cable = await Cable.lay(nursery, broker.host, broker.port)
        async with connected(broker, cable.port) as coffin:
            coffin.say_online()
            await listener.expect(f"{AVAILABILITY} online")
            cable.reset()
            await listener.expect_in_order(f"{AVAILABILITY} offline", f"{AVAILABILITY} online")
        nursery.cancel_scope.cancel()


async def test_the_will_of_the_old_connection_comes_before_the_birth_on_the_new_one(broker: Mosquitto) -> None:
    """A cable pulled on our side alone: the broker still holds the old connection when the new one takes the client id."""
    async with broker.listen(AVAILABILITY) as listener, trio.open_nursery() as nursery:
        old, new = [await Cable.lay(nursery, broker.host, broker.port) for _ in range(2)]
        async with connected(broker, old.port) as coffin:
            coffin.say_online()
            await listener.expect(f"{AVAILABILITY} online")
            old.cut()
            async with connected(broker, new.port) as again:
                again.say_online()
                await listener.expect_in_order(f"{AVAILABILITY} offline", f"{AVAILABILITY} online")
                await listener.silence(f"{AVAILABILITY} offline", 0.3)
        nursery.cancel_scope.cancel()


async def test_a_word_that_an_acl_forbade_is_said_again(
    make_mosquitto: MakeMosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the broker takes it, with one line: nobody tells us that somebody has mended its ACL."""
    monkeypatch.setattr("halloween_host.presence.REFUSED_AGAIN_S", 0.05)
    broker = make_mosquitto(acl=["topic read #"])
    with capture_logs() as lines:
        async with broker.listen(AVAILABILITY) as listener, connected(broker) as coffin:
            coffin.say_online()
            await coffin.until(lambda: coffin.acknowledged >= 3)
            broker.change(acl=["topic readwrite #"])
            await listener.expect(f"{AVAILABILITY} online")
    assert sum("the broker refused its availability" in line["event"] for line in lines) == 1


async def fill(broker: Mosquitto) -> list[trio.SocketStream]:
    """Take every place that mosquitto has; 2.0.11 gives one more than its `max_connections`."""
    guests: list[trio.SocketStream] = []
    while True:
        guest = await trio.open_tcp_stream(broker.host, broker.port)
        with trio.move_on_after(0.2):
            assert await guest.receive_some(1) == b""
            await guest.aclose()
            return guests
        guests.append(guest)


async def test_a_mosquitto_that_is_full_leaves_the_word_to_the_host_until_there_is_a_place(
    make_mosquitto: MakeMosquitto,
) -> None:
    """`max_connections` closes without a word: one line, the host's voice, and back once somebody else has left."""
    broker = make_mosquitto(config_lines=["max_connections 3"])
    guests = await fill(broker)
    async with connected(broker) as coffin:
        with capture_logs() as lines:
            coffin.say_online()
            await coffin.until(lambda: not coffin.presence.present)
            (post,) = coffin.outbox.take(10)
            assert (post.topic, post.payload) == (AVAILABILITY, b"online")
            for guest in guests:
                await guest.aclose()
            await coffin.until(lambda: coffin.presence.present and coffin.presence.out)
    assert coffin.changes == [False, True]
    first, second = [line["event"] for line in lines]
    assert first.startswith("has no connection of its own (")
    assert second == "has a connection of its own again"
