"""A prop's availability goes out on its own connection, so that a will speaks for it whatever becomes of the host."""

from __future__ import annotations

import pytest

from halloween_host import BaseWorker, topics
from halloween_host.mqtt import ProtocolVersion
from halloween_host.testing import BrokerEvent, Show, StageBroker, rehearsal, rehearse
from tests.presence.coffin import AVAILABILITY, COFFIN, HOST


def watch(show: Show) -> list[BrokerEvent]:
    """Every event from now on."""
    events: list[BrokerEvent] = []
    show.broker.observers.append(events.append)
    return events


def words(events: list[BrokerEvent], prop_id: str = "coffin") -> list[str]:
    """What was said of a prop's availability: the word, by whom, and whether it was a will."""
    topic = topics.availability(prop_id)
    told = [event for event in events if event.topic == topic]
    return [f"{each.payload.decode()} by {each.identifier}{' (will)' * (each.kind == 'will')}" for each in told]


def check_births(events: list[BrokerEvent]) -> None:
    """No `online` stands before the host's `cmd` subscription on its current connection."""
    hears = False
    for event in events:
        if event.identifier == HOST:
            hears = (hears or event.text == topics.ALL_COMMANDS) and event.kind != "disconnect"
        elif event.kind == "publish" and event.topic.endswith("/availability") and event.payload == b"online":
            assert hears, f"{event.topic} online at {event.at}"


async def coffin_is(show: Show, word: str, within_s: float = 5) -> None:
    await show.expect(AVAILABILITY, word, within_s=within_s)


@rehearsal
async def test_births_are_on_the_workers_own_connections_and_never_early() -> None:
    """Through a start, a lost host connection, a half-open one, a broker killed without its memory: `online` follows `cmd`."""
    async with StageBroker() as broker:
        events: list[BrokerEvent] = []
        broker.observers.append(events.append)
        async with rehearse({"coffin": BaseWorker, "fogger": BaseWorker}, broker=broker) as show:
            await coffin_is(show, "online")
            broker.drop(HOST)
            await show.run_for(5)
            broker.cut(HOST, for_s=40)
            await show.run_for(60)
            broker.down(for_s=7, forget=True)
            await show.run_for(30)
            assert broker.retained[AVAILABILITY] == b"online"
        check_births(events)
        speakers = {event.identifier for event in events if event.topic == AVAILABILITY}
        assert speakers == {COFFIN}
        assert sum(word.startswith("online") for word in words(events)) >= 3
        assert words(events)[-1] == f"offline by {COFFIN}"


@rehearsal
async def test_a_broker_that_comes_back_has_every_birth_as_soon_as_the_host_is_there() -> None:
    """Whatever a presence's own back-off says: the host's connection is the proof."""
    props = [f"prop{number}" for number in range(20)]
    async with rehearse(dict.fromkeys(props, BaseWorker)) as show:
        for prop_id in props:
            await show.expect(f"{prop_id}/status/availability", "online")
        await show.expect(topics.HOST_AVAILABILITY, "online")
        await show.run_for(5)
        show.broker.down(for_s=300)
        await show.expect(topics.HOST_AVAILABILITY, "online", within_s=315)
        for prop_id in props:
            await show.expect(f"{prop_id}/status/availability", "online", within_s=0.1)


@rehearsal
async def test_a_hosts_connection_that_blinks_takes_no_prop_offline() -> None:
    """A presence lives through it, and two seconds of grace pass."""
    async with rehearse({"coffin": BaseWorker}) as show:
        await coffin_is(show, "online")
        events = watch(show)
        show.broker.drop(HOST)
        await show.run_for(10)
        assert {word for word in words(events) if "offline" in word} == set()
        assert [event.identifier for event in events if event.kind == "connect"] == [f"{HOST}/probe", HOST]


@rehearsal
async def test_a_host_that_ends_says_offline_before_its_disconnects() -> None:
    """On each connection; no will is sent, and the host's own word is the last."""
    async with StageBroker() as broker:
        events: list[BrokerEvent] = []
        async with rehearse({"coffin": BaseWorker, "fogger": BaseWorker}, broker=broker) as show:
            await coffin_is(show, "online")
            await show.expect(topics.HOST_AVAILABILITY, "online")
            broker.observers.append(events.append)
        ends = [
            event for event in events if event.kind in ("will", "disconnect") or event.topic.endswith("availability")
        ]
        assert not [event for event in ends if event.kind == "will"]
        for name in (COFFIN, f"{HOST}-fogger", HOST):
            mine = [event for event in ends if event.identifier == name]
            assert [event.payload or event.text for event in mine] == [b"offline", "left"]


@rehearsal
async def test_a_presence_torn_out_is_offline_until_it_is_back_and_nobody_is_accused() -> None:
    """The will, then the birth; the witness has nothing to correct, however often it happens."""
    async with rehearse({"coffin": BaseWorker}) as show:
        await coffin_is(show, "online")
        events = watch(show)
        for _ in range(6):
            show.broker.drop(COFFIN)
            await show.run_for(7)
        assert words(events) == [f"offline by {COFFIN} (will)", f"online by {COFFIN}"] * 6
        assert "somebody else publishes" not in str(show.transcript)


@rehearsal
async def test_a_presence_whose_way_back_is_slow_is_no_other_publisher() -> None:
    """What the broker says for a lost connection is the truth: not corrected, not counted, nobody accused."""
    async with rehearse({"coffin": BaseWorker}) as show:
        await coffin_is(show, "online")
        for _ in range(6):
            show.broker.cut(COFFIN, for_s=2)  # nothing answers it for two seconds
            show.broker.drop(COFFIN)
            await show.run_for(10)
            assert show.broker.retained[AVAILABILITY] == b"online"
        assert "somebody else publishes" not in str(show.transcript)


@rehearsal
async def test_a_refused_presence_speaks_over_the_hosts_connection_with_one_line_and_comes_back() -> None:
    """`health` says so at once, the words go on, and once the broker lets it in the will stands behind them again."""
    async with StageBroker() as broker:
        events: list[BrokerEvent] = []
        broker.observers.append(events.append)
        broker.refuse(COFFIN, 135)
        async with rehearse({"coffin": BaseWorker, "fogger": BaseWorker}, broker=broker) as show:
            await coffin_is(show, "online")
            assert not show.health("coffin").presence
            assert show.health("fogger").presence
            await show.run_for(300)
            assert words(events) == [f"online by {HOST}"]
            said = [line for line in str(show.transcript).splitlines() if "has no connection of its own" in line]
            assert len(said) == 1
            assert "coffin" in said[0]
            show.crash("coffin")
            await coffin_is(show, "offline")
            await coffin_is(show, "online")
            broker.refuse(COFFIN, None)
            await coffin_is(show, "online", within_s=11)
            assert words(events)[-1] == f"online by {COFFIN}"
            assert show.health("coffin").presence
            await show.run_for(1)
            broker.drop(COFFIN)
            await coffin_is(show, "offline")
            assert words(events)[-1] == f"offline by {COFFIN} (will)"
        check_births(events)


@rehearsal
async def test_a_refused_presence_comes_back_to_a_host_that_lost_its_link_without_a_stale_word() -> None:
    """What the fallback left in the outbox must not overtake the birth."""
    async with StageBroker() as broker:
        broker.refuse(COFFIN, 135)
        async with rehearse({"coffin": BaseWorker}, broker=broker) as show:
            await coffin_is(show, "online")
            events = watch(show)
            broker.cut(HOST, for_s=60)
            await show.run_for(25)  # offline, reason link, waits in the outbox
            broker.refuse(COFFIN, None)
            await show.run_for(60)
            assert broker.retained[AVAILABILITY] == b"online"
            check_births(events)
            told = words(events)
            assert f"offline by {HOST}" not in told[told.index(f"online by {COFFIN}") :]


@rehearsal
async def test_without_presences_the_host_speaks_for_all() -> None:
    """`PRESENCE_MAX=0`: one connection, and health says what an `online` is worth."""
    async with rehearse({"coffin": BaseWorker, "fogger": BaseWorker}, environ={"PRESENCE_MAX": "0"}) as show:
        events = watch(show)
        await coffin_is(show, "online")
        assert show.broker.connected == [HOST]
        assert not show.health("coffin").presence
        await show.run_for(1)
        assert words(events) == [f"online by {HOST}"]


class First(BaseWorker):
    presence = True


class Never(BaseWorker):
    presence = False


@pytest.mark.parametrize(
    ("most", "present"),
    [
        ("1", {"zombie"}),
        ("2", {"coffin", "zombie"}),
        ("3", {"coffin", "fogger", "zombie"}),
        ("200", {"coffin", "fogger", "zombie"}),
    ],
)
@rehearsal
async def test_the_first_by_name_have_a_presence_and_who_asks_for_one_comes_before(
    most: str, present: set[str]
) -> None:
    """`presence = True` is first, `False` takes nobody's place, the others go by name; one line says how many have none."""
    cast: dict[str, type[BaseWorker]] = {"zombie": First, "fogger": BaseWorker, "bats": Never, "coffin": BaseWorker}
    async with rehearse(cast, environ={"PRESENCE_MAX": most}) as show:
        for prop_id in cast:
            await show.expect(f"{prop_id}/status/availability", "online")
        assert {name.removeprefix(f"{HOST}-") for name in show.broker.connected} - {HOST} == present
        assert {prop_id for prop_id in cast if show.health(prop_id).presence} == present
        without = 3 - len(present)
        said = f"{without} of 4 workers have no connection of their own (PRESENCE_MAX={most})"
        assert (said in str(show.transcript)) == bool(without)


@rehearsal
async def test_a_presence_taken_over_ends_the_host() -> None:
    """The fixed client id: another host with ours speaks for the prop now, and this one says nothing more."""
    async with StageBroker() as broker, rehearse({"coffin": BaseWorker}, broker=broker) as show:
        await coffin_is(show, "online")
        await show.run_for(1)
        events = watch(show)
        async with broker.dial(COFFIN, ProtocolVersion.V5, None):
            await show.run_for(10)
            assert broker.connected == [COFFIN]
            assert [event.payload for event in events if event.kind in ("publish", "will")] == [b"offline"]
            assert words(events) == [f"offline by {COFFIN} (will)"]
