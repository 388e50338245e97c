"""What travels on the stage's connections: a publish is its `Receipt`, the rest stands here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import attrs
import trio

from halloween_host.mqtt import PacketTypes, Properties, Receipt, SubscribeOptions, Topic, Will

__all__ = ["BrokerEvent", "Closing", "Filters", "Packet", "Parcel", "Subscription", "carried", "expiry_of"]


@attrs.define(eq=False)
class Filters:
    """SUBSCRIBE (with options) or UNSUBSCRIBE (without) on its way; `codes` are the broker's answer."""

    filters: Sequence[str]
    options: Sequence[SubscribeOptions] | None
    codes: list[int] | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)

    def answer(self, codes: list[int]) -> None:
        self.codes = codes
        self.answered.set()


@attrs.frozen
class Closing:
    """The client's end of the connection; `said` whether DISCONNECT came first."""

    said: bool


Packet = Receipt | Filters | Closing


@attrs.frozen(eq=False)
class Parcel:
    """A message in the broker's hands. `expires_at` is on the broker's clock; `source` the client id it came from."""

    topic: Topic
    payload: bytes
    qos: int
    retain: bool
    properties: Properties | None = None
    expires_at: float = math.inf
    source: str = ""


@attrs.define(eq=False)
class Subscription:
    """One filter of a session. `number` grows with each new one: equal filters are served in that order."""

    qos: int
    no_local: bool
    as_published: bool
    number: int


EventKind = Literal["connect", "disconnect", "publish", "will", "subscribe", "unsubscribe", "refuse", "down", "up"]


@attrs.frozen
class BrokerEvent:
    """Something that the broker saw, in order. `at` are virtual seconds; `identifier` is empty for a stranger or the broker.

    `text` is why a client left, the filter it subscribed to, or why it was refused.
    """

    at: float
    kind: EventKind
    identifier: str = ""
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Properties | None = None
    text: str = ""


#: What a broker passes on with a message (MQTT 5, section 3.3.2.3); the rest is between it and the publisher.
_OTHERS: Final = ("SubscriptionIdentifier", "TopicAlias", "WillDelayInterval")


def carried(properties: Properties | None, *, remaining_s: int | None = None) -> Properties | None:
    """A copy of what a subscriber may see; `remaining_s` replaces the message expiry."""
    if properties is None:
        return None
    # copy.copy and Properties' own __setattr__ cost ten times as much, and a command's way is short
    passed = Properties.__new__(Properties)
    values = vars(passed)
    values.update(vars(properties))
    values["packetType"] = PacketTypes.PUBLISH
    for name in _OTHERS:
        values.pop(name, None)
    if remaining_s is not None:
        values["MessageExpiryInterval"] = remaining_s
    return passed


def expiry_of(message: Receipt | Will, now: float) -> float:
    """When the message is no use to anyone any more, on the clock of `now` (MQTT 5, section 3.3.2.3.3)."""
    seconds = getattr(message.properties, "MessageExpiryInterval", None)
    return math.inf if seconds is None else now + float(seconds)
