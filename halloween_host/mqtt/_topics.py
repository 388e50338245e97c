"""Topics and topic filters are strings that know their rules and match as MQTT 3.1.1, section 4.7 says."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

#: MQTT 3.1.1, section 1.5.3: a string on the wire has at most that many bytes of UTF-8.
MAX_BYTES: Final = 65_535


class Topic(str):
    """A topic that a message is published to: any `str` operation works on it, `matches` compares it with filters.

    Raises:
        ValueError: when it is empty, too long, no UTF-8, or holds ``+``, ``#`` or NUL.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Topic:
        check_topic(value)
        return super().__new__(cls, value)

    @property
    def value(self) -> str:
        return str(self)

    def matches(self, topic_filter: str) -> bool:
        """True when a subscription to `topic_filter` hears this topic.

        ``$share/<group>/`` is taken off first (MQTT 5, section 4.8.2); a leading wildcard does not match a topic that
        starts with ``$`` (MQTT 3.1.1, section 4.7.2).

        Raises:
            ValueError: when `topic_filter` is no valid filter.
        """
        levels, pattern = self.split("/"), _levels(topic_filter)
        if self.startswith("$") and pattern[0] in ("+", "#"):
            return False
        for index, wanted in enumerate(pattern):
            if wanted == "#":
                return True
            if index == len(levels) or wanted not in ("+", levels[index]):
                return False
        return len(levels) == len(pattern)


class Wildcard(str):
    """A topic filter, as `subscribe` takes it.

    Raises:
        ValueError: when it is empty, too long, no UTF-8, holds NUL, or has a wildcard where none may stand.
    """

    __slots__ = ()

    def __new__(cls, value: str) -> Wildcard:
        check_filter(value)
        return super().__new__(cls, value)

    @property
    def value(self) -> str:
        return str(self)


def check_topic(topic: str) -> None:
    """Raise ValueError for what no message may be published to."""
    _check_string(topic, "topic")
    if "+" in topic or "#" in topic:
        raise ValueError(f"topic {topic[:80]!r} holds a wildcard")


def check_filter(topic_filter: str) -> None:
    """Raise ValueError for what nobody may subscribe to (MQTT 3.1.1, section 4.7.1)."""
    _check_string(topic_filter, "topic filter")
    _levels(topic_filter)


def _check_string(text: str, kind: str) -> None:
    if not text:
        raise ValueError(f"empty {kind}")
    if "\0" in text:
        raise ValueError(f"{kind} {text[:80]!r} holds a NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{kind} {text[:80]!r} cannot be written as UTF-8") from None
    if size > MAX_BYTES:
        raise ValueError(f"{kind} {text[:80]!r}… has {size:,} bytes, at most {MAX_BYTES:,}")


@lru_cache(maxsize=1024)
def _levels(topic_filter: str) -> tuple[str, ...]:
    levels = topic_filter.split("/")
    if levels[0] == "$share":
        if len(levels) < 3 or not levels[1] or any(char in levels[1] for char in "+#"):
            raise ValueError(f"{topic_filter[:80]!r} is no shared subscription: $share/<group>/<topic filter>")
        levels = levels[2:]
    if levels == [""]:
        raise ValueError("empty topic filter")
    for index, level in enumerate(levels):
        if ("+" in level and level != "+") or ("#" in level and (level != "#" or index != len(levels) - 1)):
            raise ValueError(f"topic filter {topic_filter[:80]!r}: + and # fill a whole level, # the last one")
    return tuple(levels)
