"""The router puts each command into its worker's mailbox, refuses what is retained, and mentions strangers once."""

from __future__ import annotations

import attrs

from halloween_host.commands import Command
from halloween_host.errors import CommandError
from halloween_host.mqtt import Message, PacketTypes, Properties, Topic
from halloween_host.outbox import Outbox
from halloween_host.router import Router
from halloween_host.worker import Arrival


class Recipient:
    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def deliver(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)


def message(topic: str, payload: bytes, *, retain: bool = False) -> Message:
    return Message(Topic(topic), payload, 1, retain, 0, None)


def route(*messages: Message) -> tuple[Recipient, list[str]]:
    """Route them to a worker called fogger; what it got, and what was said on topics."""
    fogger = Recipient()
    outbox = Outbox(wake=lambda: None, clock=lambda: 0.0, dropped=lambda prop_id, text: None)
    router = Router({"fogger": fogger})
    for each in messages:
        if not router.route(each):
            router.mention_stranger(each.topic)
    return fogger, [f"{post.topic} {post.payload.decode()}" for post in outbox.take(100)]


def test_commands_arrive_parsed_and_in_order() -> None:
    """Parsing happens once, here; what is no command arrives as its error."""
    fogger, said = route(message("halloween/fogger/cmd", b"start 3"), message("halloween/fogger/cmd", b"\xff"))
    assert fogger.arrivals[0].command == Command("start", "3")
    assert isinstance(fogger.arrivals[1].command, CommandError)
    assert said == []


def test_a_retained_command_arrives_as_one_and_its_deletion_does_not() -> None:
    """The worker's dispatcher refuses it; the empty message that deletes it is nothing to complain of."""
    topic = "halloween/fogger/cmd"
    fogger, said = route(message(topic, b"start", retain=True), message(topic, b"", retain=True))
    assert [(arrival.command, arrival.retain) for arrival in fogger.arrivals] == [(Command("start"), True)]
    assert said == []


def test_strangers_and_odd_topics_hurt_nobody() -> None:
    """A prop without a worker, empty and odd levels, the host's own topic: ignored, the next command arrives."""
    odd = [
        "halloween/foger/cmd",
        "halloween//cmd",
        "halloween/cmd",
        "/",
        "halloween/a/b/cmd",
        "halloween/worker_host/cmd",
    ]
    fogger, said = route(*[message(topic, b"start") for topic in odd * 2], message("halloween/fogger/cmd", b"stop"))
    assert [arrival.command for arrival in fogger.arrivals] == [Command("stop")]
    assert said == []


def test_a_response_topic_and_its_correlation_data_arrive_with_the_command() -> None:
    """MQTT 5's request and response (section 4.10): where the sender wants the answer, and what it shall carry back."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
    bare = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
    properties.ResponseTopic, properties.CorrelationData = "phone/7", b"\x00\x01"
    fogger, _ = route(
        attrs.evolve(message("halloween/fogger/cmd", b"start"), properties=properties),
        attrs.evolve(message("halloween/fogger/cmd", b"\xff"), properties=properties),
        attrs.evolve(message("halloween/fogger/cmd", b"start"), properties=bare),
        message("halloween/fogger/cmd", b"start"),
    )
    assert [(each.response_topic, each.correlation) for each in fogger.arrivals] == [
        ("phone/7", b"\x00\x01"),
        ("phone/7", b"\x00\x01"),
        (None, None),
        (None, None),
    ]


def test_a_closed_router_drops_commands_and_knows_strangers_still() -> None:
    """The host stops: its workers get nothing more, and what was for them is no stranger's."""
    fogger = Recipient()
    router = Router({"fogger": fogger})
    router.close()
    assert router.route(message("halloween/fogger/cmd", b"start"))
    assert not router.route(message("halloween/coffin/cmd", b"start"))
    assert fogger.arrivals == []
