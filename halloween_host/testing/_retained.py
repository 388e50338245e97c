"""The broker's retained messages: one a topic, handed out in the order in which mosquitto walks its tree of topics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._packets import Parcel

__all__ = ["Retained"]


class _Level:
    """One level of the tree: what is retained here, and the levels below in the order in which they came."""

    __slots__ = ("below", "parcel")

    def __init__(self) -> None:
        self.parcel: Parcel | None = None
        self.below: dict[str, _Level] = {}


class Retained:
    """A message with an empty payload deletes its topic's (MQTT 3.1.1, section 3.3.1.3); an expired one is not there."""

    def __init__(self) -> None:
        self._root = _Level()

    def keep(self, parcel: Parcel) -> None:
        level = self._root
        for name in parcel.topic.split("/"):
            level = level.below.setdefault(name, _Level())
        # a deleted one keeps its place, as in mosquitto 2.0.11
        level.parcel = parcel if parcel.payload else None

    def forget(self) -> None:
        self._root = _Level()

    def payloads(self, now: float) -> dict[str, bytes]:
        found = _below(self._root)
        return {str(each.topic): each.payload for each in found if each.expires_at > now}

    def matching(self, topic_filter: str, now: float) -> list[Parcel]:
        """What a new subscription to `topic_filter` is sent."""
        found = _matching(self._root, topic_filter.split("/"), top=True)
        return [each for each in found if each.expires_at > now]


def _below(level: _Level, *, top: bool = False) -> Iterator[Parcel]:
    for name, each in level.below.items():
        if top and name.startswith("$"):
            continue  # MQTT 3.1.1, section 4.7.2: no wildcard at the start finds these
        if each.parcel is not None:
            yield each.parcel
        yield from _below(each)


def _matching(level: _Level, names: Sequence[str], *, top: bool = False) -> Iterator[Parcel]:
    name, rest = names[0], names[1:]
    if name == "#":
        yield from _below(level, top=top)
        return
    if name == "+":
        found = [each for key, each in level.below.items() if not (top and key.startswith("$"))]
    else:
        found = [level.below[name]] if name in level.below else []
    for each in found:
        if rest:
            yield from _matching(each, rest)
        # `x/#` finds `x` too (section 4.7.1.2), after all that is below it
        if each.parcel is not None and rest in ([], ["#"]):
            yield each.parcel
