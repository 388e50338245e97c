"""A presence says the newest word, in order, never an early `online`; its will speaks when it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from halloween_host.presence import PATIENCE_S
from halloween_host.settings import BrokerSettings
from halloween_host.testing import BrokerEvent, StageBroker
from tests.presence.coffin import AVAILABILITY, COFFIN, Coffin


@asynccontextmanager
async def staged(hears: bool = True) -> AsyncIterator[tuple[Coffin, StageBroker, list[str]]]:
    """A coffin whose link runs on a stage's broker, and what the broker saw: connections, and words with whose they are."""
    seen: list[str] = []

    def see(event: BrokerEvent) -> None:
        if event.kind in ("publish", "will"):
            seen.append(f"{event.kind} {event.payload.decode()}")
        elif event.kind in ("connect", "disconnect", "refuse"):
            seen.append(f"{event.kind}{' left' if event.text == 'left' else ''}")

    async with StageBroker() as broker, trio.open_nursery() as nursery:
        broker.observers.append(see)
        coffin = Coffin(BrokerSettings(host="stage", protocol="5"), broker.dial)
        coffin.hears = hears
        nursery.start_soon(coffin.link.run)
        yield coffin, broker, seen
        nursery.cancel_scope.cancel()


async def test_a_birth_waits_for_the_hosts_subscription(autojump_clock: MockClock) -> None:
    """Connected or not: an `online` before the host hears commands would lose the first of them."""
    async with staged(hears=False) as (coffin, _, seen):
        coffin.say_online()
        await trio.sleep(3)
        assert seen == ["connect"]
        assert not coffin.presence.out
        coffin.host_hears()
        await trio.sleep(0.1)
        assert seen == ["connect", "publish online"]
        assert coffin.presence.out
        assert coffin.acknowledged == 1


async def test_an_offline_waits_for_nothing(autojump_clock: MockClock) -> None:
    """It promises nothing that the host would have to keep."""
    async with staged(hears=False) as (coffin, _, seen):
        coffin.presence.say("offline")
        await trio.sleep(0.1)
        assert seen == ["connect", "publish offline"]


async def test_an_online_is_taken_back_before_it_went_out(autojump_clock: MockClock) -> None:
    """A worker that crashes while its birth waits was never there; later words count as ever."""
    async with staged(hears=False) as (coffin, _, seen):
        await trio.sleep(0.1)
        coffin.say_online()
        await trio.sleep(0.1)
        coffin.presence.say("offline")
        await trio.sleep(0.1)
        assert seen == ["connect", "publish offline"]
        coffin.host_hears()
        coffin.say_online()
        await trio.sleep(0.1)
        assert seen == ["connect", "publish offline", "publish online"]
        assert coffin.acknowledged == 1


async def test_offline_goes_out_before_disconnect_and_no_will_follows(autojump_clock: MockClock) -> None:
    """`leave` waits for the last word's PUBACK; the link is over then."""
    async with staged() as (coffin, _, seen):
        coffin.say_online()
        await trio.sleep(0.1)
        coffin.presence.say("offline")
        coffin.presence.leave()
        with trio.fail_after(1):
            await coffin.presence.gone.wait()
        await trio.sleep(60)
        assert seen == ["connect", "publish online", "publish offline", "disconnect left"]


async def test_it_is_gone_once_the_broker_has_the_last_word(autojump_clock: MockClock) -> None:
    """A broker that is slow is waited for: a DISCONNECT takes the will with it."""
    async with staged() as (coffin, broker, _):
        coffin.say_online()
        await trio.sleep(0.1)
        broker.stall(COFFIN, for_s=0.5)
        coffin.presence.say("offline")
        coffin.presence.leave()
        await trio.sleep(0.4)
        assert not coffin.presence.gone.is_set()
        with trio.fail_after(1):
            await coffin.presence.gone.wait()
        assert coffin.presence.out


async def test_a_connection_that_is_torn_out_is_spoken_for_by_its_will(autojump_clock: MockClock) -> None:
    """As after SIGKILL or a reset: the broker says `offline`, and a presence that lives comes back and says what is true."""
    async with staged() as (coffin, broker, seen):
        coffin.say_online()
        await trio.sleep(0.1)
        broker.drop(COFFIN)
        assert seen[2:] == ["disconnect", "will offline"]
        assert broker.retained[AVAILABILITY] == b"offline"
        await trio.sleep(0.5)  # cut after a moment, it gives way for one
        # the probe first: the broker is there, so somebody else may have cut us
        assert seen[4:] == ["connect", "disconnect left", "connect", "publish online"]


async def test_a_word_that_a_will_replaced_is_not_out(autojump_clock: MockClock) -> None:
    """Until it is said again nobody may take it for what the broker has."""
    async with staged() as (coffin, broker, _):
        coffin.say_online()
        await trio.sleep(0.1)
        assert coffin.presence.out
        broker.down(for_s=3)
        await trio.sleep(1)
        assert not coffin.presence.out
        await trio.sleep(5)
        assert coffin.presence.out


async def test_of_what_was_said_while_it_was_away_only_the_newest_goes_out(autojump_clock: MockClock) -> None:
    """The rest is history: nobody could have heard it, and none of it is true any more."""
    async with staged() as (coffin, broker, seen):
        coffin.say_online()
        await trio.sleep(0.1)
        broker.down(for_s=10)
        await trio.sleep(1)
        for _ in range(20):
            coffin.presence.say("offline")
            coffin.say_online()
        coffin.presence.say("offline")
        await trio.sleep(20)
        assert seen[2:] == ["disconnect", "connect", "publish offline"]


async def test_while_it_is_there_every_word_is_heard_in_order(autojump_clock: MockClock) -> None:
    """A crash within a blink is seen: `online`, `offline`, `online`."""
    async with staged() as (coffin, _, seen):
        await trio.sleep(0.1)
        coffin.say_online()
        coffin.presence.say("offline")
        coffin.say_online()
        await trio.sleep(0.1)
        assert seen == ["connect", "publish online", "publish offline", "publish online"]
        assert coffin.acknowledged == 1  # the first birth was over when its PUBACK came


async def test_a_broker_that_is_away_for_all_is_no_refusal(autojump_clock: MockClock) -> None:
    """While the host itself has no connection, a presence keeps its own, for however long."""
    async with staged() as (coffin, broker, seen):
        coffin.say_online()
        await trio.sleep(0.1)
        with capture_logs() as lines:
            broker.down(for_s=600)
            coffin.hears = False
            await trio.sleep(599)
        assert lines == []
        assert coffin.presence.present
        await trio.sleep(20)
        assert seen[2:] == ["disconnect", "connect"]
        coffin.host_hears()
        await trio.sleep(0.1)
        assert seen[4:] == ["publish online"]


async def test_a_connection_that_does_not_come_up_beside_the_hosts_falls_back_after_a_moment(
    autojump_clock: MockClock,
) -> None:
    """A broker that closes it without a word (mosquitto's `max_connections`): five seconds are waited, one line is said."""
    async with staged() as (coffin, broker, _):
        coffin.say_online()
        with capture_logs() as lines:
            broker.down()  # for the presence alone: the host is said to be connected
            await trio.sleep(PATIENCE_S - 1)
            assert coffin.presence.present
            await trio.sleep(60)
        assert not coffin.presence.present
        assert coffin.changes == [False]
        assert [line["event"] for line in lines] == [lines[0]["event"]]
        assert lines[0]["event"].startswith("has no connection of its own (cannot connect to the stage")
        (post,) = coffin.outbox.take(10)
        assert (post.topic, post.payload, post.retain, post.qos) == (AVAILABILITY, b"online", True, 1)
