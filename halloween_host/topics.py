"""Every topic that the host speaks or hears is made and read here; nothing else in the house spells one."""

from __future__ import annotations

from typing import Final, Literal

import attrs

from halloween_host.errors import TopicError

PREFIX: Final = "halloween"
HOST: Final = "worker_host"

#: What the host subscribes to for its workers.
ALL_COMMANDS: Final = f"{PREFIX}/+/cmd"

HOST_AVAILABILITY: Final = f"{PREFIX}/{HOST}/status/availability"
HOST_ERROR: Final = f"{PREFIX}/{HOST}/status/error"
HOST_WARNING: Final = f"{PREFIX}/{HOST}/status/warn"
HOST_UPTIME: Final = f"{PREFIX}/{HOST}/uptime"
#: Commands to the host itself (panic, rearm, restart coffin, …), their outcomes, and the latch of a panic with its report.
HOST_COMMAND: Final = f"{PREFIX}/{HOST}/cmd"
HOST_ACK: Final = f"{PREFIX}/{HOST}/ack"
HOST_PANIC: Final = f"{PREFIX}/{HOST}/status/panic"

Kind = Literal["cmd", "ack", "telemetry", "status", "state", "other"]

#: MQTT 3.1.1, section 4.7.3: a topic has at most 65,535 bytes of UTF-8; we leave room for the prefix.
MAX_KEY_BYTES: Final = 60_000


@attrs.frozen
class PropTopic:
    """A topic below ``halloween/<prop>/``, taken apart. `key` is what follows ``telemetry/`` or ``status/``."""

    prop_id: str
    kind: Kind
    key: str = ""


def check_prop_id(prop_id: str) -> str:
    """Return `prop_id` if it can be one level of a topic.

    Raises:
        TopicError: when it is empty, holds ``/``, ``+``, ``#`` or a control character, or is the host's own name.
    """
    if not prop_id:
        raise TopicError(prop_id, "is empty: a prop id is one topic level")
    if prop_id == HOST:
        raise TopicError(prop_id, "is the host's own name, choose another prop id")
    if any(char in "/+#" or not char.isprintable() for char in prop_id):
        raise TopicError(prop_id, "is no prop id: one topic level, without '/', '+', '#' or control characters")
    return prop_id


def check_key(key: str) -> str:
    """Return `key` if it can end a topic; it may hold ``/``.

    Raises:
        TopicError: when it is empty, too long, holds a wildcard or a NUL (MQTT 3.1.1, sections 1.5.3 and 4.7.1) or is no UTF-8.
    """
    if not key or "+" in key or "#" in key or "\0" in key:
        raise TopicError(key, "is no key: it must not be empty or hold '+', '#' or NUL")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise TopicError(key, "is no key: it cannot be written as UTF-8") from None
    if size > MAX_KEY_BYTES:
        raise TopicError(key[:40], f"… is no key: {size:,} bytes, at most {MAX_KEY_BYTES:,}")
    return key


def command(prop_id: str) -> str:
    """``halloween/<prop>/cmd``."""
    return f"{PREFIX}/{prop_id}/cmd"


def telemetry(prop_id: str, key: str) -> str:
    """``halloween/<prop>/telemetry/<key>``."""
    return f"{PREFIX}/{prop_id}/telemetry/{key}"


def status(prop_id: str, key: str) -> str:
    """``halloween/<prop>/status/<key>``."""
    return f"{PREFIX}/{prop_id}/status/{key}"


def availability(prop_id: str) -> str:
    """``halloween/<prop>/status/availability``."""
    return status(prop_id, "availability")


def health(prop_id: str) -> str:
    """``halloween/<prop>/status/health``."""
    return status(prop_id, "health")


def ack(prop_id: str) -> str:
    """``halloween/<prop>/ack``."""
    return f"{PREFIX}/{prop_id}/ack"


def error(prop_id: str) -> str:
    """``halloween/<prop>/status/error``."""
    return status(prop_id, "error")


def state(prop_id: str) -> str:
    """``halloween/<prop>/state``."""
    return f"{PREFIX}/{prop_id}/state"


def nonce(client_id: str) -> str:
    """``halloween/worker_host/nonce/<client id>``: who holds that client id; ``%`` escapes what a topic level cannot hold."""
    level = "".join(char if char not in "/+#%\0" else f"%{ord(char):02X}" for char in client_id)
    return f"{PREFIX}/{HOST}/nonce/{level}"


def parse_topic(topic: str) -> PropTopic | None:
    """Take a topic apart; None for one that is not below ``halloween/<prop>/``."""
    levels = topic.split("/", 3)
    if len(levels) < 3 or levels[0] != PREFIX or not levels[1]:
        return None
    rest = levels[3] if len(levels) == 4 else ""
    match levels[2]:
        case "cmd" | "ack" | "state" as kind if len(levels) == 3:
            return PropTopic(levels[1], kind)
        case "telemetry" | "status" as kind if rest:
            return PropTopic(levels[1], kind, rest)
    return PropTopic(levels[1], "other", rest)
