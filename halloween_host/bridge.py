"""What happens on one connection of the host: subscribe, say who is there, then commands in and posts out."""

from __future__ import annotations

import math
from functools import partial
from typing import Final, Protocol

import trio

from halloween_host import topics
from halloween_host.asks import Asks
from halloween_host.doorbell import Doorbell
from halloween_host.express import Express
from halloween_host.mqtt import (
    AnyClient,
    Message,
    MqttCodeError,
    MqttError,
    PacketTypes,
    Properties,
    ProtocolVersion,
    Receipt,
    SubscribeOptions,
)
from halloween_host.outbox import Outbox, Post
from halloween_host.refusals import Refusals
from halloween_host.sign import Sign, Signature

__all__ = ["Bridge", "Owner", "Routes", "expire_commands"]

#: Publishes that wait for their PUBACK at most; beyond it the outbox waits, where commands age and values fold.
IN_FLIGHT: Final = 1_000
#: Posts taken from the outbox at once.
BATCH: Final = 100
#: Seconds between two looks for commands that grew too old.
EXPIRE_EVERY_S: Final = 0.2


async def expire_commands(outbox: Outbox) -> None:
    """Drop commands as they grow too old, also while no broker is there to take any; ends by cancellation."""
    doorbell = Doorbell()
    outbox.command_waits = doorbell.ring
    while True:
        rung = doorbell.event
        due = outbox.expire()
        with trio.move_on_at(math.inf if due is None else due):
            await rung.wait()
        await trio.sleep(EXPIRE_EVERY_S)


class Routes(Protocol):
    """Where commands for props go; every call is plain and quick."""

    def route(self, message: Message) -> bool:
        """Whether it was for a worker of ours, which has it now."""

    def mention_stranger(self, topic: str) -> None:
        """It was for nobody here."""


class Owner(Protocol):
    """Told what the bridge hears that is no command for a prop; every call is plain and quick."""

    def link_up(self) -> None:
        """The broker took our subscriptions on a new connection; nothing of it was routed yet."""

    def link_down(self) -> None:
        """That connection is lost."""

    def hear_availability(self, prop_id: str, word: str) -> None:
        """What a subscriber sees of a prop now."""

    def hear_host_command(self, message: Message) -> None:
        """A message on the host's own `cmd` topic."""

    def taken_over(self, evidence: str) -> None:
        """Another host surely has our client id now."""


class Bridge:
    """Serves one connection after another. It hears what matches the two filters, and the sign."""

    def __init__(
        self,
        outbox: Outbox,
        router: Routes,
        doorbell: Doorbell,
        owner: Owner,
        asks: Asks,
        express: Express,
        *,
        client_id: str,
        signature: Signature,
        commands: str = topics.ALL_COMMANDS,
        availability: str | None = topics.availability("+"),
    ) -> None:
        self.outbox = outbox
        #: Whether the broker took our subscription on the current connection.
        self.subscribed = False
        self._router = router
        self._owner = owner
        self._asks = asks
        self._express = express
        self._sign = Sign(client_id, signature, owner.taken_over)
        self._doorbell = doorbell
        self._flushed = trio.Event()
        self._room = trio.Event()
        self._number = 0
        self._commands = commands
        self._others = [] if availability is None else [(availability, 1)]
        self._in_flight: dict[int, Post] = {}
        self._refusals = Refusals()

    async def serve(self, client: AnyClient) -> None:
        """A `Session`: returns never; MqttError when the connection is lost."""
        self._sign.begin()
        try:
            # Under MQTT 5 a retained command says so also when it comes live (section 3.3.1.3); 3.1.1 hides it then.
            live = SubscribeOptions(qos=1, retainAsPublished=True) if client.protocol is ProtocolVersion.V5 else 1
            await client.subscribe([(self._commands, live), *self._others])
            await self._sign.watch(client)
            self.subscribed = True
            self._owner.link_up()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive, client)
                nursery.start_soon(self._send, client)
                nursery.start_soon(self._asks.serve, client)
                nursery.start_soon(self._say_refused_again, client)
        finally:
            self.outbox.link_down(self._in_flight.values())
            self._in_flight.clear()
            self._refusals.forget()
            if self.subscribed:
                self.subscribed = False
                self._owner.link_down()

    @property
    def owed(self) -> int:
        """Messages that wait, or that the broker has not acknowledged."""
        return len(self.outbox) + len(self._in_flight)

    async def flush(self) -> None:
        """Wait until the broker acknowledged all that the outbox held; never returns while it is away."""
        while not self.subscribed or len(self.outbox) or self._in_flight:
            self._flushed = trio.Event()
            self._doorbell.ring()
            await self._flushed.wait()

    async def _receive(self, client: AnyClient) -> None:
        messages = client.messages
        messages.sink = self._take
        try:
            messages.pour()
            while True:  # for what is too much for the step that read it
                await messages.wait()
                messages.pour()
        finally:
            messages.sink = None

    def _take(self, message: Message, last: bool) -> None:
        self._express.last = last
        routed = self._router.route(message)
        self._express.last = False
        if not routed:
            self._hear(message)
        if last and self._doorbell.due:  # what was said in this step leaves before the socket is armed for the next
            self._doorbell.answer()

    def _hear(self, message: Message) -> None:
        """What is no command for a worker."""
        topic = message.topic
        if topic == topics.HOST_COMMAND:
            self._owner.hear_host_command(message)
            return
        if topic == self._sign.topic:
            self._sign.read(message)
            return
        parsed = topics.parse_topic(topic)
        if parsed is not None and parsed.kind == "ack":
            self._asks.hear(parsed.prop_id, message)
        elif parsed is not None and parsed.kind == "status" and parsed.key == "availability":
            self._owner.hear_availability(parsed.prop_id, message.payload.decode(errors="replace"))
        else:
            self._router.mention_stranger(topic)

    async def _send(self, client: AnyClient) -> None:
        """Availability first and acknowledged, then the outbox in its order."""
        self._publish_all(client, self.outbox.link_up())
        while self._in_flight:
            await self._wait_for_room()
        await self._sign.leave(client)
        while True:
            rung = self._doorbell.event
            with client.corked():
                self._publish_all(client, self.outbox.take(BATCH))
            while len(self._in_flight) >= IN_FLIGHT:
                await self._wait_for_room()
            if len(self.outbox) or not client.has_room:
                await client.room()
                continue
            if not self._in_flight:
                self._flushed.set()
            self._doorbell.at_once = partial(self._send_at_once, client)
            try:
                await rung.wait()
            finally:
                self._doorbell.at_once = None
            if self._doorbell.failure is not None:
                raise self._doorbell.failure

    def _send_at_once(self, client: AnyClient) -> None:
        """What `_send` does, as far as it goes without waiting; then it is woken for the rest."""
        try:
            with client.corked():
                self._publish_all(client, self.outbox.take(BATCH))
        except MqttError:  # the connection is lost: `serve` ends by that, and gives back what is in flight
            return
        if len(self.outbox) or len(self._in_flight) >= IN_FLIGHT or not client.has_room:
            self._doorbell.due = True
        elif not self._in_flight:
            self._flushed.set()

    async def _say_refused_again(self, client: AnyClient) -> None:
        while True:
            await self._refusals.wait()
            while len(self.outbox):  # noqa: ASYNC110 what waits there may be newer, and nobody tells that it is gone
                await trio.sleep(EXPIRE_EVERY_S)
            self._publish_all(client, self._refusals.take())

    async def _wait_for_room(self) -> None:
        self._room = trio.Event()
        await self._room.wait()

    def _publish_all(self, client: AnyClient, posts: list[Post]) -> None:
        """Publish them in order; when the connection turns out to be lost, what did not go out goes back to the outbox."""
        for index, post in enumerate(posts):
            try:
                self._publish(client, post)
            except MqttError:
                for unsent in posts[index + bool(post.qos) :]:  # with QoS, it stands in flight itself
                    self._number += 1
                    self._in_flight[self._number] = unsent
                raise

    def _publish(self, client: AnyClient, post: Post) -> None:
        if post.wanted is not None and not post.wanted():
            return
        properties = None
        if post.kind == "command":
            # Under MQTT 5 the broker drops it too, when its receiver is away for longer (section 3.3.2.3.3).
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
            properties.MessageExpiryInterval = math.ceil(post.ttl_s)
        elif post.correlation is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
            properties.CorrelationData = post.correlation
        number = done = None
        if post.qos or post.out is not None:
            number = self._number = self._number + 1
            done = partial(self._done, number, post)
            if post.qos:
                self._in_flight[number] = post
        try:
            if number is None and properties is None:
                client.send(post.topic, post.payload, post.retain)
            else:
                client.publish_nowait(post.topic, post.payload, post.qos, post.retain, properties, on_done=done)
        except (MqttCodeError, ValueError, TypeError) as error:  # no broker would take it: too large, no such QoS
            if isinstance(error, MqttCodeError) and not client.connected:
                raise  # no word on the message: it is how the connection ended
            if number is not None:
                self._in_flight.pop(number, None)
            self._refusals.complain(post, str(error), f"not published: {error}")

    def _done(self, number: int, post: Post, receipt: Receipt) -> None:
        if receipt.error is not None and not receipt.refused:
            return  # the connection is lost: it stays in flight, and `serve` gives it back to the outbox
        self._in_flight.pop(number, None)
        self._refusals.answered(post.topic)
        if receipt.error is not None:
            self._refusals.refused(post, receipt.error)
        if post.out is not None:  # answered is answered: a worker whose availability an ACL forbids works all the same
            post.out()
        self._room.set()
        if not self._in_flight and not len(self.outbox):
            self._flushed.set()
