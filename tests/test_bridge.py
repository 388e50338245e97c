"""The bridge sends what all workers say: what one of them makes unsendable costs that message alone."""

from __future__ import annotations

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from halloween_host.acks import Ack, encode_ack
from halloween_host.asks import Asks
from halloween_host.bridge import Bridge
from halloween_host.mqtt import Client, Message, MqttError, ProtocolVersion
from halloween_host.outbox import Post
from tests.bridging import Fogger, Nobody, bridged, say
from tests.mosquitto import Mosquitto


async def test_an_unsendable_message_is_dropped_with_a_line_and_the_next_one_goes(broker: Mosquitto) -> None:
    """An impossible topic or QoS that got past every check ends neither the connection nor the host."""
    async with bridged(broker) as (bridge, client, listener):
        with capture_logs() as lines:
            say(bridge, "halloween/fogger/telemetry/#", b"x")
            say(bridge, "halloween/fogger/telemetry/heat", b"x", qos=7)
            say(bridge, "halloween/fogger/telemetry/fog", b"on")
            await listener.expect("halloween/fogger/telemetry/fog on")
            await bridge.flush()
        assert client.connected
        assert [line["worker"] for line in lines if line["log_level"] == "error"] == ["fogger", "fogger"]


async def test_an_ack_carries_its_correlation_data(broker: Mosquitto) -> None:
    """Whoever asked recognises its answer by it (MQTT 5, section 4.10); an ack without any has none."""
    async with (
        bridged(broker) as (bridge, _, _),
        Client(broker.host, broker.port, protocol=ProtocolVersion.V5) as phone,
    ):
        await phone.subscribe("phone/#", 1)
        now = bridge.outbox.now()
        bridge.outbox.post(Post("fogger", "phone/1", b"{}", "ack", 1, False, now, b"\x00\x01"))
        bridge.outbox.post(Post("fogger", "phone/2", b"{}", "ack", 1, False, now))
        heard: dict[str, bytes | None] = {}
        with trio.fail_after(5):
            while len(heard) < 2:
                for message in await phone.messages.batch():
                    heard[str(message.topic)] = getattr(message.properties, "CorrelationData", None)
    assert heard == {"phone/1": b"\x00\x01", "phone/2": None}


async def test_only_commands_for_props_go_to_the_router(broker: Mosquitto) -> None:
    """Availability, the host's own commands, acks and nonces are read here, in the order in which they came."""
    owner = Nobody()
    router = Fogger()
    async with bridged(broker, owner, router):
        await owner.expect("up")
        await broker.publish("halloween/fogger/status/availability", "offline")
        await broker.publish("halloween/worker_host/cmd", "ping")
        await broker.publish("halloween/fogger/cmd", "fire")
        await broker.publish("halloween/attic/cmd", "fire")
        await broker.publish("halloween/coffin/status/availability", b"\xff")
        await owner.expect("coffin is \N{REPLACEMENT CHARACTER}")
        assert [(each.topic, each.payload) for each in router.routed] == [("halloween/fogger/cmd", b"fire")]
        assert router.strangers == ["halloween/attic/cmd"]
    assert owner.told == [
        "up",
        "fogger is offline",
        "host command ping",
        "coffin is \N{REPLACEMENT CHARACTER}",
        "down",
    ]


async def test_what_a_command_brings_forth_leaves_in_the_step_that_reads_it(broker: Mosquitto) -> None:
    """Nobody need look for it when the step has ended: nobody does here."""

    class Talker(Fogger):
        def route(self, message: Message) -> bool:
            say(bridge, "halloween/fogger/telemetry/heat", message.payload)
            return super().route(message)

    async with bridged(broker, owner := Nobody(), Talker(), stepwise=True) as (bridge, _, listener):
        await owner.expect("up")
        await wait_all_tasks_blocked()
        await broker.publish("halloween/fogger/cmd", "fire")
        await listener.expect("halloween/fogger/telemetry/heat fire")


async def test_the_link_is_up_once_the_broker_took_the_subscriptions(broker: Mosquitto) -> None:
    """What is published from then on is heard; it is down again, once, when the connection is lost."""
    owner = Nobody()
    router = Fogger()
    with pytest.RaisesGroup(MqttError, flatten_subgroups=True):
        async with bridged(broker, owner, router) as (bridge, _, _):
            assert not bridge.subscribed
            await owner.expect("up")
            assert bridge.subscribed
            await broker.publish("halloween/fogger/cmd", "fire")
            with trio.fail_after(5):
                await router.news.wait()
            broker.kill()
            await owner.expect("down")
            assert not bridge.subscribed
            await trio.sleep_forever()
    assert owner.told == ["up", "down"]


async def test_another_hosts_sign_after_ours_is_a_take_over(broker: Mosquitto) -> None:
    """What an earlier run of ours left retained is none, nor what no host wrote, nor our own coming back."""
    owner = Nobody()
    await broker.publish("halloween/worker_host/nonce/host", '{"nonce": "last night", "host": "attic"}', retain=True)
    async with bridged(broker, owner) as (_, _, listener):
        await listener.expect('halloween/worker_host/nonce/host {"nonce": "nonce", "host": "here"}')
        await broker.publish("halloween/worker_host/nonce/host", "no JSON")
        await broker.publish("halloween/worker_host/nonce/host", '{"nonce": "other", "host": "attic"}')
        await owner.expect("taken over: a host on 'attic' published its sign after ours")
    assert owner.told == ["up", "taken over: a host on 'attic' published its sign after ours", "down"]


async def test_what_is_wanted_no_more_when_it_would_leave_does_not(broker: Mosquitto) -> None:
    """A word that somebody else's contradicts by now: asked at the last moment, and nothing waits for it."""
    async with bridged(broker) as (bridge, _, listener):
        now = bridge.outbox.now()
        for topic, wanted in (
            ("halloween/fogger/telemetry/0", lambda: True),
            ("halloween/fogger/telemetry/1", lambda: False),
        ):
            bridge.outbox.post(Post("fogger", topic, b"x", "telemetry", 1, False, now, wanted=wanted))
        await listener.expect("halloween/fogger/telemetry/0 x")
        with trio.fail_after(5):
            await bridge.flush()
        await listener.silence("halloween/fogger/telemetry/1 x", 0.2)


async def test_an_answer_reaches_who_asked(broker: Mosquitto) -> None:
    """The command goes out once its ack can be heard; `accepted` is no answer yet."""
    asks = Asks()
    acks: list[Ack] = []
    answered = trio.Event()

    @attrs.define(eq=False)
    class Asked:
        bridge: Bridge
        prop_id: str = "fogger"
        id: str = "7"

        def post(self) -> None:
            say(self.bridge, "halloween/fogger/cmd", b"fire", "command")

        def answer(self, ack: Ack) -> None:
            acks.append(ack)
            answered.set()

    async with bridged(broker, asks=asks) as (bridge, _, listener):
        asks.ask(Asked(bridge))
        await listener.expect("halloween/fogger/cmd fire")
        for ack in (Ack("6", "fire", "done"), Ack("7", "fire", "accepted"), Ack("7", "fire", "done", result=3)):
            await broker.publish("halloween/fogger/ack", encode_ack(ack))
        with trio.fail_after(5):
            await answered.wait()
    assert [(ack.outcome, ack.result) for ack in acks] == [("done", 3)]
