"""The protocol's reason codes read as words: MQTT 5, section 2.4, and MQTT 3.1.1, table 3.1."""

from __future__ import annotations

from typing import Final


def reason_text(code: int) -> str:
    """What a reason code means, in lower case; `unknown reason` for one that no specification names."""
    return _TEXTS.get(code, "unknown reason")


_TEXTS: Final = {
    0: "normal disconnection",
    1: "unsupported protocol version",
    2: "client identifier not valid",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
    16: "no matching subscribers",
    17: "no subscription existed",
    128: "refused without a reason",
    129: "malformed packet",
    130: "protocol error",
    131: "the broker's own reasons",
    132: "unsupported protocol version",
    133: "client identifier not valid",
    134: "bad user name or password",
    135: "not authorised",
    136: "server unavailable",
    137: "server busy",
    138: "banned",
    139: "server shutting down",
    140: "bad authentication method",
    141: "keep alive timeout",
    142: "session taken over by another client with the same client id",
    143: "topic filter invalid",
    144: "topic name invalid",
    145: "packet identifier in use",
    146: "packet identifier not found",
    147: "receive maximum exceeded",
    148: "topic alias invalid",
    149: "packet too large",
    150: "message rate too high",
    151: "quota exceeded",
    152: "administrative action",
    153: "payload format invalid",
    154: "retain not supported",
    155: "QoS not supported",
    156: "use another server",
    157: "server moved",
    158: "shared subscriptions not supported",
    159: "connection rate exceeded",
    160: "maximum connect time",
    161: "subscription identifiers not supported",
    162: "wildcard subscriptions not supported",
}
