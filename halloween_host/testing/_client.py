"""The stage's client: the calls of `halloween_host.mqtt.Client`, on a broker in memory and in the run's own time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final, Protocol, Self

import trio

from halloween_host.mqtt import (
    Messages,
    MqttCodeError,
    MqttError,
    MqttTimeoutError,
    PayloadType,
    Properties,
    ProtocolVersion,
    Receipt,
    SubscribeOptions,
    Subscription,
    Topic,
    Wildcard,
    Will,
    encode_payload,
)

from ._packets import Closing, Filters, Packet, carried
from ._receiving import Receiving
from ._wire import ClientEnd, Wire

__all__ = ["Door", "StageClient"]

#: As the real client: how long the broker may take for our DISCONNECT, also when we are cancelled.
GOOD_BYE_S: Final = 1.0
#: As the real client: `room` waits while so many bytes are unsent.
OUT_BOUND: Final = 262_144


class Door(Protocol):
    """What a client needs of its broker."""

    async def reach(self, client: ClientEnd) -> Wire: ...
    def deliver_missed(self, wire: Wire) -> None: ...
    def topic(self, name: str) -> Topic: ...
    def ring(self, wire: Wire) -> None: ...
    def next_name(self) -> str: ...


class StageClient(Receiving):
    """One connection to a `StageBroker`, open as long as its ``async with`` is; an object is entered once.

    What each call does and raises: see `halloween_host.mqtt.Client`. A PUBACK never comes before `publish_nowait` returned.
    `keepalive`, `session_expiry_s` and `timeout` are seconds; user name and password are carried, no stage asks for them.
    """

    def __init__(
        self,
        broker: Door,
        *,
        identifier: str = "",
        protocol: ProtocolVersion = ProtocolVersion.V5,
        will: Will | None = None,
        keepalive: float = 10,
        clean_start: bool = True,
        session_expiry_s: float = 0,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        super().__init__(protocol)
        self.identifier = identifier or broker.next_name()
        self.will = will
        self.keepalive_s = float(keepalive)
        self.clean_start = clean_start
        self.session_expiry_s = float(session_expiry_s)
        self.username = username
        self.password = password
        self.timeout = timeout
        self._broker = broker
        self._entered = False
        self._wire: Wire | None = None
        self._mid = 0
        if will is not None:
            Topic(will.topic)
            encode_payload(will.payload)

    @property
    def messages(self) -> Messages:
        return self._messages

    @property
    def connected(self) -> bool:
        return self._wire is not None and self._lost is None and not self._closing

    async def __aenter__(self) -> Self:
        if self._entered:
            raise MqttError("a StageClient is entered once: make a new one for each connection")
        self._entered = True
        try:
            with self._deadline(None, "no connection to the stage: no answer"):
                await trio.lowlevel.checkpoint()
                self._wire = await self._broker.reach(self)
        except BaseException as error:
            self._finish(MqttError(f"no connection to the stage: {error}"))
            raise
        self._broker.deliver_missed(self._wire)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        wire = self._open()
        if self._lost is None:
            self._closing = True
            self._post(wire, Closing(said=True))
            with trio.move_on_after(GOOD_BYE_S, shield=True):
                await self._ended.wait()
            wire.client = None
            self._finish(MqttError("the connection to the stage was closed"))
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def subscribe(
        self,
        topic: Subscription | Sequence[Subscription],
        qos: int = 0,
        options: SubscribeOptions | None = None,
        properties: Properties | None = None,
        *,
        timeout: float | None = None,
    ) -> tuple[int, ...]:
        topics = [topic] if isinstance(topic, (str, tuple)) else list(topic)
        pairs = [(one, options or qos) if isinstance(one, str) else one for one in topics]
        wanted = [each if isinstance(each, SubscribeOptions) else _options(each) for _, each in pairs]
        filters = [str(Wildcard(each)) for each, _ in pairs]
        names = ", ".join(map(repr, filters))
        codes = await self._ask(Filters(filters, wanted), f"no answer to the subscription to {names}", timeout)
        for topic_filter, code in zip(filters, codes, strict=True):
            if code >= 0x80:
                raise MqttCodeError(code, f"subscription to {topic_filter!r} refused")
        return tuple(codes)

    async def unsubscribe(
        self, topic: str | Sequence[str], properties: Properties | None = None, *, timeout: float | None = None
    ) -> None:
        filters = [str(Wildcard(each)) for each in ([topic] if isinstance(topic, str) else topic)]
        names = ", ".join(map(repr, filters))
        await self._ask(Filters(filters, None), f"no answer to the end of the subscription to {names}", timeout)

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
        with self._deadline(timeout, f"the publish to {topic!r} was not acknowledged"):
            await self.room()
            await self.publish_nowait(topic, payload, qos, retain, properties).wait()

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
        name = self._broker.topic(topic)
        if qos not in (0, 1, 2):
            raise ValueError(f"QoS {qos!r}: 0, 1 or 2")
        data = encode_payload(payload)
        wire = self._open()
        self._check_open()
        if properties is not None:
            properties = carried(properties) if self.protocol is ProtocolVersion.V5 else None
        receipt = Receipt(name, data, qos, retain, properties, on_done=on_done)
        if qos:
            self._mid = receipt.mid = self._mid % 65_535 + 1
            self._sent.append(receipt)
        self._post(wire, receipt)
        if wire.frozen:
            self._held += len(data)
        if not qos:
            receipt.settle()
        return receipt

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self.publish_nowait(topic, payload, 0, retain)

    def corked(self) -> AbstractContextManager[None]:
        return nullcontext()

    @property
    def has_room(self) -> bool:
        return not (self._open().frozen and self._held >= OUT_BOUND)

    async def room(self) -> None:
        self._open()
        await trio.lowlevel.checkpoint()
        while not self.has_room and self._lost is None:
            self._room = self._room or trio.Event()
            await self._room.wait()
        self._check_open()

    async def wait_disconnected(self) -> MqttError:
        self._open()
        await self._ended.wait()
        assert self._lost is not None
        return self._lost

    # -- inside

    def _open(self) -> Wire:
        if self._wire is None:
            raise MqttError("there is no connection to the stage: use the client inside its `async with`")
        return self._wire

    def _check_open(self) -> None:
        if self._lost is not None:
            raise self._lost.again()
        if self._closing:
            raise MqttError("the connection to the stage is being closed")

    def _post(self, wire: Wire, packet: Packet) -> None:
        wire.up.append(packet)
        if not wire.ringing and not wire.frozen:
            self._broker.ring(wire)

    async def _ask(self, question: Filters, what: str, timeout: float | None) -> list[int]:
        wire = self._open()
        self._check_open()
        self._questions.append(question)
        try:
            self._post(wire, question)
            with self._deadline(timeout, what):
                await question.answered.wait()
        finally:
            self._questions.remove(question)
        if question.codes is None:
            assert self._lost is not None
            raise self._lost.again()
        return question.codes

    @contextlib.contextmanager
    def _deadline(self, timeout: float | None, what: str) -> Iterator[None]:
        seconds = self.timeout if timeout is None else timeout
        with trio.move_on_after(seconds) as scope:
            yield
        if scope.cancelled_caught:
            raise MqttTimeoutError(f"{what} within {seconds:g} s")


def _options(qos: int) -> SubscribeOptions:
    if qos not in (0, 1, 2):
        raise ValueError(f"QoS {qos!r}: 0, 1 or 2")
    return SubscribeOptions(qos=qos)
