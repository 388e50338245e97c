"""What happens on one connection of the host: subscribe, say who is there, then commands in and posts out."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Sequence
from typing import Final, Protocol

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.asks import Asks
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

__all__ = ["Bridge", "Doorbell", "Owner", "Signature", "expire_commands"]

#: Publishes that wait for their PUBACK at most; beyond it the outbox waits, where commands age and values fold.
IN_FLIGHT: Final = 1_000
#: Posts taken from the outbox at once.
BATCH: Final = 100
#: Seconds between two looks for commands that grew too old.
EXPIRE_EVERY_S: Final = 0.2

_log: Final = structlog.stdlib.get_logger()


class Doorbell:
    """Rung from any thread; whoever waits took `event` before looking whether there is something to do."""

    def __init__(self) -> None:
        self.event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    def ring(self) -> None:
        if threading.get_ident() == self._thread:
            self._ring()
            return
        try:
            self._token.run_sync_soon(self._ring, idempotent=True)
        except trio.RunFinishedError:  # a thread of an author's that outlived the host: nobody is left to be woken
            return

    def _ring(self) -> None:
        rung, self.event = self.event, trio.Event()
        rung.set()


async def expire_commands(outbox: Outbox, doorbell: Doorbell) -> None:
    """Drop commands as they grow too old, also while no broker is there to take any; ends by cancellation."""
    while True:
        rung = doorbell.event
        due = outbox.expire()
        with trio.move_on_at(math.inf if due is None else due):
            await rung.wait()
        await trio.sleep(EXPIRE_EVERY_S)


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


@attrs.frozen
class Signature:
    """What a host leaves, retained, under its client id: `nonce` is this run's alone, `host` names the machine."""

    nonce: str
    host: str


class Bridge:
    """Serves one connection after another."""

    def __init__(
        self,
        outbox: Outbox,
        batches: trio.MemorySendChannel[Sequence[Message]],
        doorbell: Doorbell,
        owner: Owner,
        asks: Asks,
        *,
        client_id: str,
        signature: Signature,
    ) -> None:
        self.outbox = outbox
        #: Whether the broker took our subscription on the current connection.
        self.subscribed = False
        self._batches = batches
        self._owner = owner
        self._asks = asks
        self._nonce_topic = topics.nonce(client_id)
        self._signature = signature
        self._signed = False
        self._nonce_is_ours = False
        self._doorbell = doorbell
        self._flushed = trio.Event()
        self._room = trio.Event()
        self._number = 0
        self._in_flight: dict[int, Post] = {}

    async def serve(self, client: AnyClient) -> None:
        """A `Session`: returns never; MqttError when the connection is lost."""
        self._nonce_is_ours = self._signed
        try:
            # Under MQTT 5 a retained command says so also when it comes live (section 3.3.1.3); 3.1.1 hides it then.
            live = SubscribeOptions(qos=1, retainAsPublished=True) if client.protocol is ProtocolVersion.V5 else 1
            await client.subscribe([(topics.ALL_COMMANDS, live), (topics.availability("+"), 1)])
            await self._watch_nonce(client)
            self.subscribed = True
            self._owner.link_up()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive, client)
                nursery.start_soon(self._send, client)
                nursery.start_soon(self._asks.serve, client)
        finally:
            self.outbox.link_down(self._in_flight.values())
            self._in_flight.clear()
            if self.subscribed:
                self.subscribed = False
                self._owner.link_down()

    async def flush(self) -> None:
        """Wait until the broker acknowledged all that the outbox held; never returns while it is away."""
        while not self.subscribed or len(self.outbox) or self._in_flight:
            self._flushed = trio.Event()
            self._doorbell.ring()
            await self._flushed.wait()

    async def _receive(self, client: AnyClient) -> None:
        while True:
            batch = [each for each in await client.messages.batch() if not self._hear(each)]
            if batch:
                await self._batches.send(batch)

    def _hear(self, message: Message) -> bool:
        """Whether it was for the host itself."""
        topic = str(message.topic)
        if topic.endswith("/cmd") and topic != topics.HOST_COMMAND:
            return False
        if topic == topics.HOST_COMMAND:
            self._owner.hear_host_command(message)
        elif topic == self._nonce_topic:
            self._read_nonce(message)
        elif (parsed := topics.parse_topic(topic)) is None:
            return False
        elif parsed.kind == "ack":
            self._asks.hear(parsed.prop_id, message)
        elif parsed.kind == "status" and parsed.key == "availability":
            self._owner.hear_availability(parsed.prop_id, bytes(message.payload).decode(errors="replace"))
        else:
            return False
        return True

    def _read_nonce(self, message: Message) -> None:
        """Another's nonce under our client id is proof that somebody took it over.

        But for a retained one on our first connection: an earlier run of ours left it.
        """
        if message.retain and not self._nonce_is_ours:
            return
        try:
            signature = json.loads(bytes(message.payload))
            theirs, where = str(signature["nonce"]), str(signature["host"])
        except (ValueError, KeyError, TypeError):
            return  # not written by a host: no proof of anything
        if theirs != self._signature.nonce:
            self._owner.taken_over(f"a host on {where!r:.80} published its sign after ours")

    async def _send(self, client: AnyClient) -> None:
        """Availability first and acknowledged, then the outbox in its order."""
        self._publish_all(client, self.outbox.link_up())
        while self._in_flight:
            await self._wait_for_room()
        await self._sign(client)
        while True:
            rung = self._doorbell.event
            self._publish_all(client, self.outbox.take(BATCH))
            while len(self._in_flight) >= IN_FLIGHT:
                await self._wait_for_room()
            await client.room()
            if len(self.outbox):
                continue
            if not self._in_flight:
                self._flushed.set()
            await rung.wait()

    async def _watch_nonce(self, client: AnyClient) -> None:
        try:
            await client.subscribe(self._nonce_topic, 1)
        except MqttCodeError as error:
            self._go_unwatched(client, error)

    async def _sign(self, client: AnyClient) -> None:
        """Publish our nonce: whoever else connects with our client id reads it, as we read theirs."""
        signature = json.dumps(attrs.asdict(self._signature))
        try:
            await client.publish(self._nonce_topic, signature, qos=1, retain=True)
            self._signed = True
        except MqttCodeError as error:
            self._go_unwatched(client, error)

    def _go_unwatched(self, client: AnyClient, error: MqttCodeError) -> None:
        """A broker that forbids us the nonce is no reason to do without the broker."""
        if not client.connected:
            raise error
        _log.warning(f"a second host with our client id would not be noticed: {error}")

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
        number = self._number = self._number + 1
        if post.qos:
            self._in_flight[number] = post

        def done(receipt: Receipt) -> None:
            self._done(number, post, receipt)

        try:
            client.publish_nowait(post.topic, post.payload, post.qos, post.retain, properties, on_done=done)
        except (MqttCodeError, ValueError, TypeError) as error:  # no broker would take it: too large, no such QoS
            if isinstance(error, MqttCodeError) and not client.connected:
                raise  # no word on the message: it is how the connection ended
            self._in_flight.pop(number, None)
            _log.error(f"not published: {error}", worker=post.prop_id)

    def _done(self, number: int, post: Post, receipt: Receipt) -> None:
        if receipt.error is not None and not receipt.refused:
            return  # the connection is lost: it stays in flight, and `serve` gives it back to the outbox
        self._in_flight.pop(number, None)
        if receipt.refused:
            _log.error(f"the broker refused a message: {receipt.error}", worker=post.prop_id)
        if post.out is not None:  # answered is answered: a worker whose availability an ACL forbids works all the same
            post.out()
        self._room.set()
        if not self._in_flight and not len(self.outbox):
            self._flushed.set()
