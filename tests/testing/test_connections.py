"""A connection of the stage that is cut, stalled or reset lives and ends as its keep-alive says."""

from __future__ import annotations

import pytest
import trio

from halloween_host.link import Link
from halloween_host.mqtt import AnyClient, MqttTimeoutError
from halloween_host.settings import BrokerSettings
from halloween_host.testing._broker import StageBroker
from halloween_host.testing._client import StageClient
from tests.testing.stages import WILL, heard, in_virtual_time, subscriber


@in_virtual_time
async def test_a_cut_link_ends_when_keep_alive_says_so(broker: StageBroker) -> None:
    """The client when its first unanswered ping, that of 20 s, is 5 s old; the broker after 1.5 × 10 s of silence."""
    async with subscriber(broker) as sub, StageClient(broker, identifier="a", will=WILL) as client:
        await trio.sleep(12)
        await client.publish("at 12", "", 1)
        assert (await heard(sub))[1] == ["at 12 '' q1"]
        await trio.sleep(3)
        broker.cut("a")
        assert "no answer to our keep-alive" in str(await client.wait_disconnected())
        assert trio.current_time() == 25
        assert await heard(sub) == (12 + 15, ["will 'gone' q1"])


@in_virtual_time
async def test_the_pings_of_an_idle_client_count(broker: StageBroker) -> None:
    """They went at 10 and 20 s: the broker waits until 35, the client gives up 5 s after the one at 30."""
    async with subscriber(broker) as sub, StageClient(broker, identifier="a", will=WILL) as client:
        await trio.sleep(25)
        broker.cut("a")
        assert await heard(sub) == (35, ["will 'gone' q1"])
        await client.wait_disconnected()
        assert trio.current_time() == 35


@in_virtual_time
async def test_who_is_cut_off_does_not_hear_of_a_killed_broker(broker: StageBroker) -> None:
    """Its connection ends by keep-alive, though the broker is long back; a stalled one hears at once."""
    async with StageClient(broker, identifier="a") as cut, StageClient(broker, identifier="b") as stalled:
        broker.cut("a")
        broker.stall("b", for_s=100)
        broker.down(for_s=1)
        await stalled.wait_disconnected()
        assert trio.current_time() == 0
        await cut.wait_disconnected()
        assert trio.current_time() == 15


@in_virtual_time
async def test_idle_connections_live_for_ever(broker: StageBroker) -> None:
    """Keep-alive ends none that works, and costs nothing."""
    async with StageClient(broker, will=WILL, keepalive=1) as client:
        await trio.sleep(5 * 3600)
        assert client.connected


@in_virtual_time
async def test_a_cut_that_heals_in_time_loses_nothing(broker: StageBroker) -> None:
    """TCP sends it again: late, in order, both ways."""
    async with subscriber(broker) as sub, StageClient(broker, identifier="a", will=WILL) as client:
        await client.subscribe("to/a", 1)
        broker.cut("a", for_s=8)
        receipts = [client.publish_nowait("from/a", str(number), 1) for number in range(2)]
        broker.publish("to/a", "late")
        assert await heard(sub) == (0, ["to/a 'late' q1"])
        assert await heard(client) == (8, ["to/a 'late' q1"])
        assert await heard(sub) == (8, ["from/a '0' q1", "from/a '1' q1"])
        for receipt in receipts:
            await receipt.wait()
        await trio.sleep(100)
        assert client.connected


@in_virtual_time
async def test_a_cut_that_heals_too_late_is_the_end(broker: StageBroker) -> None:
    """Both ends gave the connection up at 15 s; until the cable is back, no attempt gets an answer."""
    async with StageClient(broker, identifier="a", keepalive=10) as client:
        broker.cut("a", for_s=18)
        await trio.sleep(2)
        with pytest.raises(MqttTimeoutError, match="no connection to the stage: no answer within 10 s"):
            await StageClient(broker, identifier="a").__aenter__()
        assert "no answer to our keep-alive" in str(await client.wait_disconnected())
        assert trio.current_time() == 15
    async with StageClient(broker, identifier="a"):
        assert trio.current_time() == 18


@in_virtual_time
async def test_a_good_bye_on_a_cut_link_arrives_late_or_never(broker: StageBroker) -> None:
    """The client waits a second for the broker; the will is sent unless DISCONNECT came through in time."""
    async with subscriber(broker) as sub:
        for for_s, will in ((5.0, False), (None, True)):
            async with StageClient(broker, identifier="a", will=WILL):
                start = trio.current_time()
                broker.cut("a", for_s)
            assert trio.current_time() - start == 1
            await trio.sleep(20)
            broker.publish("end")
            assert ("will 'gone' q1" in (await heard(sub))[1]) is will


@in_virtual_time
async def test_a_stalled_broker_is_late_and_ends_nobody(broker: StageBroker) -> None:
    """Neither do those who connect meanwhile fail."""
    async with subscriber(broker) as sub, StageClient(broker, identifier="a", will=WILL) as client:
        broker.stall(for_s=8)
        receipt = client.publish_nowait("x", "1", 1)
        async with StageClient(broker, identifier="b"):
            assert trio.current_time() == 8
            await receipt.wait()
            assert await heard(sub) == (8, ["x '1' q1"])
        broker.stall("a", for_s=60)
        assert "keep-alive" in str(await client.wait_disconnected())
        assert trio.current_time() == 10 + 5
        assert await heard(sub) == (8 + 60, ["will 'gone' q1"])


@in_virtual_time
async def test_room_waits_while_a_stalled_link_holds_too_much(broker: StageBroker) -> None:
    """256 KiB, as the real client."""
    async with StageClient(broker, identifier="a") as client:
        broker.stall("a", for_s=3)
        client.publish_nowait("x", b"x" * 200_000)
        await client.room()
        assert trio.current_time() == 0
        client.publish_nowait("x", b"x" * 100_000)
        await client.room()
        assert trio.current_time() == 3


@in_virtual_time
async def test_a_link_of_the_host_comes_back(broker: StageBroker) -> None:
    """The real `Link`, through a killed broker and a reset."""
    seen: list[tuple[float, str]] = []

    async def session(client: AnyClient) -> None:
        seen.append((trio.current_time(), "up"))
        try:
            raise await client.wait_disconnected()
        finally:
            seen.append((trio.current_time(), "down"))

    link = Link(
        BrokerSettings(host="stage"), broker.dial, session, client_id="host", taken_over=print, random_=lambda: 1.0
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run)
        await trio.sleep(10)
        broker.drop("host")
        await trio.sleep(10)
        broker.down(for_s=2)
        await trio.sleep(10)
        nursery.cancel_scope.cancel()
    assert seen[:4] == [(0, "up"), (10, "down"), (10, "up"), (20, "down")]
    assert [word for _, word in seen[4:]] == ["up", "down"]
    assert 22 <= seen[4][0] < 30


@in_virtual_time
async def test_lost_acknowledgements_make_a_message_arrive_twice(broker: StageBroker) -> None:
    """Who sends again what was not acknowledged cannot know; a plain reset loses the message itself."""
    async with subscriber(broker) as sub:
        for lose_acks in (True, False):
            async with StageClient(broker, identifier="a") as client:
                receipt = client.publish_nowait("x", str(lose_acks), 1)
                broker.drop("a", lose_acks=lose_acks)
                assert "reset" in str(receipt.error)
        broker.publish("end")
        assert (await heard(sub))[1] == ["x 'True' q1", "end '' q1"]
