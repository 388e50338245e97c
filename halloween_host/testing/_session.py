"""A session is what the broker remembers of a client id: subscriptions, and while the client is away what it missed."""

from __future__ import annotations

import math
from collections import deque

from halloween_host.mqtt import ProtocolVersion, SubscribeOptions, Will

from ._packets import Parcel, Subscription
from ._wire import ClientEnd, Wire

__all__ = ["Session", "session_expiry"]

FOREVER_S = 0xFFFFFFFF


def session_expiry(client: ClientEnd) -> float:
    """Seconds that a session outlives its connection (MQTT 5, section 3.1.2.11.2; 3.1.1: none, or for ever)."""
    if client.protocol is ProtocolVersion.V311:
        return 0.0 if client.clean_start else math.inf
    return math.inf if client.session_expiry_s >= FOREVER_S else float(client.session_expiry_s)


class Session:
    """`wire` is None while the client is away."""

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self.wire: Wire | None = None
        self.will: Will | None = None
        #: A will that waits for the client to come back in time (MQTT 5, section 3.1.3.2.2).
        self.delayed_will: Will | None = None
        self.ended = 0
        self.expiry_s = 0.0
        self.protocol: ProtocolVersion | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self._missed: deque[Parcel] = deque()

    def subscribe(self, topic_filter: str, options: SubscribeOptions, number: int) -> bool:
        """Whether the filter is a new one."""
        old = self.subscriptions.get(topic_filter)
        self.subscriptions[topic_filter] = Subscription(
            options.QoS, options.noLocal, options.retainAsPublished, number if old is None else old.number
        )
        return old is None

    def deliver(self, parcel: Parcel, now: float) -> None:
        wire = self.wire
        if wire is None:
            if parcel.qos and self.expiry_s:
                self._missed.append(parcel)
        elif wire.frozen or wire.client is None:
            wire.down.append(parcel)
        else:
            wire.client.arrive(parcel, now)

    def resume(self, now: float) -> None:
        """The client is back: hand it what it missed."""
        missed, self._missed = self._missed, deque()
        for parcel in missed:
            if parcel.expires_at > now:
                self.deliver(parcel, now)

    def part(self) -> None:
        """The connection is over; what was on its way down and unacknowledged is delivered again (MQTT 3.1.1, section 4.4)."""
        wire, self.wire = self.wire, None
        if wire is not None and self.expiry_s:
            self._missed.extend(each for each in wire.down if each.qos)
        if wire is not None and not wire.asleep:
            wire.down.clear()
