"""A connection of the stage: what is on its way up, what is on its way down, and whether anything passes."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

from halloween_host.mqtt import MqttError, ProtocolVersion, Receipt, Will, next_moment

from ._packets import Packet, Parcel

__all__ = ["ClientEnd", "KeepAlive", "Wire", "freeze_ends_at"]


class ClientEnd(Protocol):
    """The client as the broker sees it. Every call is plain and quick."""

    @property
    def identifier(self) -> str: ...
    @property
    def protocol(self) -> ProtocolVersion: ...
    @property
    def will(self) -> Will | None: ...
    @property
    def keepalive_s(self) -> float: ...
    @property
    def clean_start(self) -> bool: ...
    @property
    def session_expiry_s(self) -> float: ...

    def arrive(self, parcel: Parcel, now: float) -> None:
        """A message came."""

    def acknowledge(self, receipt: Receipt) -> None:
        """The PUBACK of a publish came."""

    def thaw(self) -> None:
        """What is posted is no longer held."""

    def lose(self, error: MqttError) -> None:
        """The connection is over."""


class KeepAlive:
    """When the last packet went either way, and so when the pings of the real client would have gone.

    Pings that are answered are not simulated, only reckoned: 50 connections for 5 hours would be 90,000 of them.
    """

    __slots__ = ("ping_at", "seconds", "sent_at")

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds or math.inf
        self.sent_at = now
        #: When the next ping goes.
        self.ping_at = next_moment(seconds, now) if seconds else math.inf

    def catch_up(self, now: float) -> None:
        """Reckon the pings up to `now`, all of them answered."""
        if self.ping_at <= now:
            self.ping_at = next_moment(self.seconds, now)
            last = self.ping_at - self.seconds
            self.sent_at = max(self.sent_at, last)


def freeze_ends_at(alive: KeepAlive, now: float, *, reckon: bool = True) -> tuple[float, float]:
    """When client and broker each give up a connection on which nothing passes from `now` on (`reckon`), or since before.

    The client, when a ping had no answer for half its keep-alive; the broker 1.5 × keep-alive after the client's last
    packet (MQTT 3.1.1, section 3.1.2.10).
    """
    if reckon:
        alive.catch_up(now)
    return alive.ping_at + alive.seconds / 2, alive.sent_at + 1.5 * alive.seconds


class Wire:
    """Both ends of one connection; an end that is over is None. The broker alone changes it, but for `up`."""

    __slots__ = ("alive", "asleep", "client", "cut", "down", "freezes", "frozen", "name", "ringing", "up")

    def __init__(self, client: ClientEnd, now: float) -> None:
        self.client: ClientEnd | None = client
        self.name = client.identifier
        self.alive = KeepAlive(client.keepalive_s, now)
        self.up: deque[Packet] = deque()
        self.down: deque[Parcel] = deque()
        #: Nothing passes, for now or for ever; `cut`: the link is to blame and not the broker.
        self.frozen = False
        self.cut = False
        #: The client reads nothing, and finds all of it once it does.
        self.asleep = False
        self.freezes = 0
        #: Whether the broker knows already that `up` holds something.
        self.ringing = False
