"""MQTT in memory: sessions, subscriptions, retained messages and wills, as mosquitto treats them; no clock of its own.

Sources: MQTT 5 and 3.1.1; where they leave a choice, mosquitto 2.0.11. tests/testing/test_scenarios.py holds both to one
transcript. Nothing here waits: what must wait is a timer's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import trio

from halloween_host.mqtt import (
    MqttCodeError,
    MqttError,
    ProtocolVersion,
    Receipt,
    Topic,
    Will,
    encode_payload,
)

from ._packets import BrokerEvent, Closing, EventKind, Filters, Packet, Parcel, carried, expiry_of
from ._retained import Retained
from ._routes import Routes
from ._session import Session, session_expiry
from ._timers import Timers
from ._wire import ClientEnd, Wire

__all__ = ["NAME", "Engine"]

#: How errors call the broker.
NAME: Final = "the stage"

#: Packets taken from the connections before other tasks get a turn.
TURN: Final = 512

_TOPICS_KEPT: Final = 16_384
_SHARED_NOT_SUPPORTED: Final = 158
_TAKEN_OVER: Final = 142


class Engine:
    """What `StageBroker` is besides its controls."""

    def __init__(self, *, says_taken_over: bool) -> None:
        #: Told of every event, in order; they may call the broker's controls.
        self.observers: list[Callable[[BrokerEvent], None]] = []
        self._says_taken_over = says_taken_over
        self._now: Callable[[], float] = trio.current_time
        self._sessions: dict[str, Session] = {}
        self._wires: dict[str, Wire] = {}
        self._owners: dict[Wire, Session] = {}
        self._routes = Routes(self._sessions)
        self._retained = Retained()
        self._timers = Timers(self._wake)
        self._ready: deque[Wire] = deque()
        self._idle = trio.lowlevel.ParkingLot()
        self._topics: dict[str, Topic] = {}
        self._subscriptions = 0
        self._anonymous = 0

    # -- what the clients call

    def topic(self, name: str) -> Topic:
        """`name`, checked; ValueError when nothing may be published to it."""
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= _TOPICS_KEPT:
                self._topics.clear()
            topic = self._topics[name] = Topic(name)
        return topic

    def ring(self, wire: Wire) -> None:
        """There is something in `wire.up`."""
        if not wire.ringing:
            wire.ringing = True
            self._ready.append(wire)
            self._wake()

    def admit(self, client: ClientEnd) -> Wire:
        """CONNECT and CONNACK: whoever has that client id already is out, its will goes first."""
        now, name = self._now(), client.identifier
        session = self._sessions.get(name)
        kept = session is not None and session.expiry_s > 0 and not client.clean_start
        if session is not None:
            if session.wire is not None:
                error = self._takeover_error(session.wire)
                # mosquitto: a session that goes on has not ended, so its will stays in
                self._end(session.wire, "taken over", will=not kept, error=error, lasting=kept)
            session.delayed_will = None  # back in time, be it with a new session
            if not kept:
                self._forget(session)
        if session is None or not kept:
            session = self._sessions[name] = Session(name)
        session.will = client.will
        session.expiry_s = session_expiry(client)
        if session.protocol is not client.protocol:
            session.protocol = client.protocol
            self._routes.changed()
        wire = session.wire = self._wires[name] = Wire(client, now)
        self._owners[wire] = session
        self._tell("connect", name)
        return wire

    def deliver_missed(self, wire: Wire) -> None:
        """What the session kept while its client was away; after CONNACK."""
        if wire in self._owners:
            self._owners[wire].resume(self._now())

    def next_name(self) -> str:
        """A client id for a client without one."""
        self._anonymous += 1
        return f"stage-{self._anonymous}"

    # -- packets

    def _wake(self) -> None:
        self._idle.unpark_all()

    def _pump(self) -> None:
        """Take what the connections hold, one after another, at most `TURN` packets."""
        now, left, ready = self._now(), TURN, self._ready
        while ready and left:
            wire = ready.popleft()
            wire.ringing = False
            up = wire.up
            wire.alive.sent_at = now
            while up and left and not wire.frozen:
                left -= 1
                packet = up.popleft()
                if type(packet) is Receipt:
                    self._publish(packet, wire.name, now)
                    if packet.qos and wire.client is not None:
                        wire.client.acknowledge(packet)
                else:
                    self._take(wire, packet, now)
            if up and not wire.frozen:
                self.ring(wire)

    def _take(self, wire: Wire, packet: Packet, now: float) -> None:
        if isinstance(packet, Closing):
            self._end(wire, "left" if packet.said else "gone", will=not packet.said)
            return
        assert isinstance(packet, Filters)
        session = self._owners[wire]
        self._routes.changed()
        if packet.options is None:
            codes = [0 if session.subscriptions.pop(each, None) else 17 for each in packet.filters]
            for each in packet.filters:
                self._tell("unsubscribe", wire.name, text=each)
            packet.answer(codes)
        else:
            self._subscribe(session, packet, now)

    def _subscribe(self, session: Session, packet: Filters, now: float) -> None:
        assert packet.options is not None
        codes, retained = [], []
        for topic_filter, options in zip(packet.filters, packet.options, strict=True):
            if topic_filter.startswith("$share/"):
                codes.append(_SHARED_NOT_SUPPORTED)
                continue
            self._subscriptions += 1
            new = session.subscribe(topic_filter, options, self._subscriptions)
            codes.append(options.QoS)
            self._tell("subscribe", session.identifier, text=topic_filter, qos=options.QoS)
            if options.retainHandling == 0 or (options.retainHandling == 1 and new):
                retained += [
                    Parcel(each.topic, each.payload, min(each.qos, options.QoS), True, each.properties, each.expires_at)
                    for each in self._retained.matching(topic_filter, now)
                ]
        packet.answer(codes)
        for parcel in retained:
            session.deliver(parcel, now)

    # -- messages

    def _publish(self, message: Receipt, source: str, now: float) -> None:
        topic, properties = cast(Topic, message.topic), message.properties
        expires_at = math.inf if properties is None else expiry_of(message, now)
        parcel = Parcel(topic, message.payload, message.qos, message.retain, properties, expires_at, source)
        self._route(parcel, now)
        if self.observers:
            self._tell_of("publish", parcel)

    def _route(self, parcel: Parcel, now: float) -> None:
        """To everybody who hears it."""
        if parcel.retain:
            self._retained.keep(parcel)
        for session, subscription in self._routes.targets(parcel.topic):
            if subscription.no_local and session.identifier == parcel.source:
                continue
            qos, retain = min(parcel.qos, subscription.qos), parcel.retain and subscription.as_published
            if qos == parcel.qos and retain == parcel.retain:
                session.deliver(parcel, now)
            else:
                same = parcel.properties, parcel.expires_at, parcel.source
                session.deliver(Parcel(parcel.topic, parcel.payload, qos, retain, *same), now)

    def _send_will(self, session: Session, delay_s: float) -> None:
        will, session.will = session.will, None
        if will is None:
            return
        if delay_s:
            session.delayed_will = will

            def after_delay() -> None:
                if session.delayed_will is will:
                    session.delayed_will = None
                    self._publish_will(session.identifier, will)

            self._timers.at(self._now() + delay_s, after_delay)
        else:
            self._publish_will(session.identifier, will)

    def _publish_will(self, source: str, will: Will) -> None:
        now, topic, payload = self._now(), self.topic(will.topic), encode_payload(will.payload)
        expires_at = expiry_of(will, now)
        parcel = Parcel(topic, payload, will.qos, will.retain, carried(will.properties), expires_at, source)
        self._route(parcel, now)
        self._tell_of("will", parcel)

    # -- ends

    def _end(self, wire: Wire, why: str, *, will: bool, error: MqttError | None = None, lasting: bool = False) -> None:
        """The broker's end of a connection is over; `lasting`: its session goes on at once.

        A client to which nothing passes finds out by itself.
        """
        session = self._owners.pop(wire, None)
        if session is None:
            return
        del self._wires[wire.name]
        wire.up.clear()
        session.part()
        self._tell("disconnect", wire.name, text=why)
        client = wire.client
        if client is not None and not wire.frozen:
            wire.client = None
            client.lose(error or MqttError(f"connection to {NAME} lost: the broker closed the connection"))
        if will:
            delay_s = getattr(session.will and session.will.properties, "WillDelayInterval", 0)
            self._send_will(session, min(float(delay_s), session.expiry_s))
        session.will = None
        if lasting:
            return
        if not session.expiry_s:
            self._forget(session)
            return

        def expire() -> None:
            if self._sessions.get(session.identifier) is session and session.wire is None and session.ended == ended:
                self._forget(session)

        session.ended += 1
        ended = session.ended
        self._timers.at(self._now() + session.expiry_s, expire)

    def _forget(self, session: Session) -> None:
        if self._sessions.get(session.identifier) is session:
            del self._sessions[session.identifier]
            self._routes.changed()

    def _takeover_error(self, wire: Wire) -> MqttError:
        if wire.client is not None and wire.client.protocol is ProtocolVersion.V5 and self._says_taken_over:
            return MqttCodeError(_TAKEN_OVER, f"{NAME} disconnected us")
        return MqttError(f"connection to {NAME} lost: the broker closed the connection")

    def _tell(self, kind: EventKind, identifier: str = "", text: str = "", *, qos: int = 0) -> None:
        self._say(BrokerEvent(self._now(), kind, identifier, qos=qos, text=text))

    def _tell_of(self, kind: EventKind, parcel: Parcel) -> None:
        message = parcel.topic, parcel.payload, parcel.qos, parcel.retain, parcel.properties
        self._say(BrokerEvent(self._now(), kind, parcel.source, *message))

    def _say(self, event: BrokerEvent) -> None:
        for observer in tuple(self.observers):
            observer(event)
