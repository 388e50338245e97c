"""The client: aiomqtt 2's API on anyio, for Trio and asyncio alike; one object is one connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import anyio.lowlevel
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ._errors import MqttCodeError, MqttError
from ._lifetime import Lifetime
from ._options import PayloadType, encode_payload
from ._outgoing import Receipt
from ._topics import check_filter

#: What `subscribe` takes: a filter, a filter with its QoS or MQTT 5's options, or a list of these.
Subscription = str | tuple[str, int] | tuple[str, SubscribeOptions]


class Client(Lifetime):
    """A connection to a broker, open as long as its ``async with`` is.

        async with Client("localhost") as client:
            await client.subscribe("halloween/#")
            await client.publish("halloween/fogger/cmd", "fire 500", qos=1)
            async for message in client.messages:
                print(message.topic, message.payload)

    An object is entered once: make a new one for each connection. When the connection is lost, the body is not
    cancelled; `messages`, every pending wait and every later call raise MqttError. All calls belong to the event loop's
    thread. `timeout` and `keepalive` are seconds; a call's own `timeout` wins over the client's.

    Queues: at most `max_queued_incoming_messages` wait in `messages` (None: no bound); the newest is dropped beyond it.
    At most `max_inflight_messages` publishes of QoS 1 and 2 are unacknowledged (fewer when an MQTT 5 broker says so; more
    than 20 of QoS 2 make mosquitto 2.0 fall silent under MQTT 3.1.1), the next ones wait in line. That line is bounded
    by `max_queued_outgoing_messages`: a publish beyond it raises MqttError. `publish` waits while 256 KiB are unsent.

    Raises (from ``async with``):
        MqttCodeError: when the broker refused the connection; `reason_code` says why.
        MqttError: when it could not be reached, TLS failed, or it did not answer within `timeout`; the text names
            host, port and cause. Also when the object is entered a second time.
        ValueError: from the constructor, for arguments that no connection could have.
    """

    async def subscribe(
        self,
        topic: Subscription | Sequence[Subscription],
        qos: int = 0,
        options: SubscribeOptions | None = None,
        properties: Properties | None = None,
        *,
        timeout: float | None = None,
    ) -> tuple[int, ...]:
        """Subscribe and return the granted QoS of each filter. A bare filter gets `options` (MQTT 5), else `qos`.

        Raises:
            MqttCodeError: when the broker refused a filter (named; others of the same call may be subscribed).
            MqttError: when the connection is gone, or the answer did not come within `timeout`.
            ValueError: for an invalid filter or QoS.
        """
        topics = [topic] if isinstance(topic, (str, tuple)) else list(topic)
        pairs = [(one, options or qos) if isinstance(one, str) else one for one in topics]
        for topic_filter, _ in pairs:
            check_filter(topic_filter)
        connection = self._open()
        names = ", ".join(repr(str(topic_filter)) for topic_filter, _ in pairs)
        with self._deadline(timeout, f"no answer to the subscription to {names}"):
            # paho's annotation knows no list that mixes QoS and options; its code does
            codes = await connection.ask(lambda: self._paho.subscribe(cast(Any, pairs), properties=properties))
        for (topic_filter, _), code in zip(pairs, codes, strict=False):
            if code >= 0x80:
                raise MqttCodeError(code, f"subscription to {str(topic_filter)!r} refused")
        return tuple(codes)

    async def unsubscribe(
        self, topic: str | Sequence[str], properties: Properties | None = None, *, timeout: float | None = None
    ) -> None:
        """End subscriptions; one that never was is no error.

        Raises:
            MqttCodeError: when the broker refused it (MQTT 5).
            MqttError: when the connection is gone, or the answer did not come within `timeout`.
            ValueError: for an invalid filter.
        """
        topics = [topic] if isinstance(topic, str) else list(topic)
        for topic_filter in topics:
            check_filter(topic_filter)
        connection = self._open()
        with self._deadline(timeout, f"no answer to the end of the subscription to {', '.join(map(repr, topics))}"):
            codes = await connection.ask(lambda: self._paho.unsubscribe(topics, properties))
        for topic_filter, code in zip(topics, codes, strict=False):
            if code >= 0x80:
                raise MqttCodeError(code, f"end of the subscription to {topic_filter!r} refused")

    async def publish(
        self,
        topic: str,
        payload: PayloadType = None,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Publish, and return when it is acknowledged (QoS 1 and 2), or in the out-buffer (QoS 0).

        Cancelled or timed out, a message that has gone out already may still reach the broker; one that waited in line
        is taken back.

        Raises:
            MqttCodeError: when the broker refused it (MQTT 5).
            MqttError: when the connection is gone, or the acknowledgement did not come within `timeout`.
            ValueError: for an invalid topic or QoS.
            TypeError: for a payload that is no `PayloadType`.
        """
        connection = self._open()
        if qos and timeout is None and not connection.full:
            await anyio.lowlevel.checkpoint_if_cancelled()
            receipt = self.publish_nowait(topic, payload, qos, retain, properties)
            connection.patience.watch(receipt)
            if not connection.patience.runs:
                connection.patience.runs = True
                self._tasks.start_soon(connection.patience.run)
            await self._acknowledged(receipt)
            return
        with self._deadline(timeout, f"the publish to {topic!r} was not acknowledged"):
            await connection.room()
            await self._acknowledged(self.publish_nowait(topic, payload, qos, retain, properties))

    async def _acknowledged(self, receipt: Receipt) -> None:
        try:
            await receipt.wait()
        finally:
            self._open().outgoing.withdraw(receipt)

    def publish_nowait(
        self,
        topic: str,
        payload: PayloadType = None,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
        *,
        on_done: Callable[[Receipt], None] | None = None,
    ) -> Receipt:
        """Post a message and return at once with its `Receipt`: `await receipt.wait()`, or give `on_done`.

        `on_done(receipt)` runs in the event loop when the message is acknowledged or never will be (`receipt.error`),
        at QoS 0 before this returns. Nothing bounds the out-buffer here: `await client.room()` now and then.

        Raises:
            MqttError: when the connection is gone, or the line full (`max_queued_outgoing_messages`): nothing is sent.
            MqttCodeError: 149, when the message is larger than an MQTT 5 broker takes.
            ValueError: for an invalid topic or QoS, or a payload above 256 MiB.
            TypeError: for a payload that is no `PayloadType`.
        """
        if qos not in (0, 1, 2):
            raise ValueError(f"QoS {qos!r}: 0, 1 or 2")
        data = encode_payload(payload)
        connection = self._connection or self._open()
        receipt = Receipt(topic, data, qos, bool(retain), properties, on_done=on_done)
        connection.post(receipt)
        return receipt

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Post a message of QoS 0 of which nobody wants a `Receipt`: `publish_nowait` for less.

        Raises:
            MqttError, MqttCodeError, ValueError: as `publish_nowait`.
        """
        connection = self._connection or self._open()
        connection.send(topic, payload, retain)

    async def room(self) -> None:
        """Return when less than 256 KiB are unsent; always a checkpoint.

        Raises:
            MqttError: when the connection is gone.
        """
        await self._open().room()

    def corked(self) -> AbstractContextManager[None]:
        """Collect all that is published in this ``with``, which must not await, and send it at its end, in one system call.

        Raises:
            MqttError: when there is no connection yet.
        """
        return self._open().corked

    @property
    def has_room(self) -> bool:
        """Whether `room` would return at once."""
        return self._connection is None or not self._connection.full

    async def wait_disconnected(self) -> MqttError:
        """Return the reason once the connection has ended: an MqttCodeError when the broker gave one (MQTT 5)."""
        connection = self._open()
        await connection.ended.wait()
        assert connection.lost is not None
        return connection.lost
