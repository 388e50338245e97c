"""What goes wrong with a broker goes wrong on the stage, at the second when it would and in one order."""

from __future__ import annotations

import functools

import pytest
import trio

from halloween_host.dial import Dial
from halloween_host.errors import StageError
from halloween_host.mqtt import AnyClient, MqttCodeError, MqttError, PacketTypes, Receipt, Will
from halloween_host.testing._broker import StageBroker
from halloween_host.testing._client import StageClient
from halloween_host.testing._packets import BrokerEvent
from tests.testing.stages import WILL, heard, in_virtual_time, subscriber
from tests.testing.yards import properties


@in_virtual_time
async def test_a_client_and_a_dial_are_what_the_host_needs(broker: StageBroker) -> None:
    """mypy checks it: `AnyClient` and `Dial`."""
    client: AnyClient = StageClient(broker)
    dial: Dial = broker.dial
    assert not client.connected
    assert dial


@in_virtual_time
async def test_puback_never_comes_inside_publish_nowait_and_comes_in_order(broker: StageBroker) -> None:
    """Also when the callback publishes again."""
    done: list[int] = []
    async with StageClient(broker) as client:

        def on_done(receipt: Receipt) -> None:
            done.append(int(receipt.payload))
            if receipt.payload == b"1":
                client.publish_nowait("x", "4", 1, on_done=on_done)

        for number in range(1, 4):
            client.publish_nowait("x", str(number), 1, on_done=on_done)
        assert done == []
        await client.publish("x", "5", 1)
    assert done == [1, 2, 3, 4]


@in_virtual_time
async def test_what_was_published_is_out_before_disconnect(broker: StageBroker) -> None:
    """Also when the body is cancelled; the will stays in."""
    async with subscriber(broker) as sub:
        with trio.CancelScope() as scope:
            async with StageClient(broker, will=WILL) as client:
                client.publish_nowait("last", "word", 1)
                scope.cancel()
                await trio.sleep_forever()
        broker.publish("end")
        assert await heard(sub) == (0, ["last 'word' q1", "end '' q1"])


@in_virtual_time
async def test_a_broker_that_is_down_refuses_and_comes_back_by_itself(broker: StageBroker) -> None:
    """Nobody's will is sent, what is retained is there again."""
    broker.publish("kept", "1", retain=True)
    async with subscriber(broker) as sub, StageClient(broker, will=Will("w", "gone", 1, retain=True)) as client:
        await sub.messages.batch()
        broker.down(for_s=5)
        assert "lost: the broker closed the connection" in str(await client.wait_disconnected())
    with pytest.raises(
        MqttError, match=r"^cannot connect to the stage: connection refused \(the stage's broker is down\)$"
    ):
        await StageClient(broker).__aenter__()
    with pytest.raises(MqttError, match="is down"):
        broker.publish("x")
    await trio.sleep(4.9)
    assert not broker.is_up
    await trio.sleep(0.2)
    async with subscriber(broker) as sub:
        assert (await heard(sub))[1] == ["kept '1' q1 retained"]
    broker.down(forget=True)
    broker.up()
    assert broker.retained == {}


@in_virtual_time
async def test_a_second_down_counts_from_its_own_start(broker: StageBroker) -> None:
    """The first one's end does not bring the broker back too soon."""
    broker.down(for_s=5)
    await trio.sleep(3)
    broker.down(for_s=5)
    await trio.sleep(4.9)
    assert not broker.is_up
    await trio.sleep(0.2)
    assert broker.is_up


@in_virtual_time
async def test_a_killed_broker_forgets_the_wills_that_wait(broker: StageBroker) -> None:
    """A will delay is in its memory alone."""
    will = Will("w", "gone", 1, True, properties(PacketTypes.WILLMESSAGE, WillDelayInterval=5))
    for killed in (False, True):
        async with StageClient(broker, identifier="a", session_expiry_s=60, will=will):
            broker.drop("a")
        if killed:
            broker.down(for_s=1)
        await trio.sleep(6)
        assert ("w" in broker.retained) is not killed
        broker.forget_retained()


@in_virtual_time
async def test_a_clean_stop_sends_the_wills(broker: StageBroker) -> None:
    """To nobody, for everybody goes; the retained ones are seen by who comes next."""
    async with StageClient(broker, will=Will("w", "gone", 1, retain=True)):
        broker.down(clean=True)
    broker.up()
    assert broker.retained == {"w": b"gone"}


@in_virtual_time
async def test_a_refused_client_hears_the_reason(broker: StageBroker) -> None:
    """Until it is taken back."""
    broker.refuse("host-", 135)
    with pytest.raises(MqttCodeError, match="not authorised") as refused:
        await StageClient(broker, identifier="host-coffin").__aenter__()
    assert refused.value.reason_code == 135
    async with StageClient(broker, identifier="host"):
        broker.refuse("host-", None)
        async with StageClient(broker, identifier="host-coffin"):
            assert broker.connected == ["host", "host-coffin"]


@in_virtual_time
async def test_a_taken_over_client_of_mqtt_5_is_told(broker: StageBroker) -> None:
    """Reason 142."""
    async with StageClient(broker, identifier="a") as first, StageClient(broker, identifier="a"):
        error = await first.wait_disconnected()
        assert isinstance(error, MqttCodeError)
        assert error.taken_over


@in_virtual_time
async def test_expiry_counts_virtual_seconds(broker: StageBroker) -> None:
    """An hour passes in no time; what remains is forwarded in whole seconds."""
    broker.publish("x", "1", retain=True, properties=properties(MessageExpiryInterval=3600))
    await trio.sleep(3599.5)
    assert broker.retained == {"x": b"1"}
    async with subscriber(broker) as sub:
        assert (await heard(sub))[1] == ["x '1' q1 retained MessageExpiryInterval=1"]
    await trio.sleep(0.5)
    assert broker.retained == {}


@in_virtual_time
async def test_observers_are_told_everything_in_order(broker: StageBroker) -> None:
    """Also what an observer causes: that comes after what it was told of, for everybody."""
    told: list[str] = []

    def note(event: BrokerEvent) -> None:
        told.append(f"{event.at:g} {event.kind} {event.identifier} {event.topic}{event.text}".strip())
        if event.topic == "x":
            broker.publish("because of x")

    async with subscriber(broker) as sub:
        broker.observers.append(note)
        async with StageClient(broker, identifier="a", will=WILL) as client:
            await client.publish("x", "", 1)
            broker.drop("a")
            assert (await heard(sub))[1] == ["x '' q1", "because of x '' q1", "will 'gone' q1"]
    assert told == [
        "0 connect a",
        "0 publish a x",
        "0 publish  because of x",
        "0 disconnect a reset",
        "0 will a will",
        "0 disconnect sub left",
    ]


@in_virtual_time
async def test_a_client_that_is_not_there_is_named(broker: StageBroker) -> None:
    """With those who are."""
    async with StageClient(broker, identifier="a"):
        for control in (broker.drop, broker.cut, functools.partial(broker.stall, for_s=1)):
            with pytest.raises(StageError, match="no client 'b' is connected to the stage; connected: a"):
                control("b")


async def test_a_broker_outside_its_block_says_so() -> None:
    """Instead of never answering."""
    with pytest.raises(StageError, match="inside its `async with`"):
        await StageClient(StageBroker()).__aenter__()
