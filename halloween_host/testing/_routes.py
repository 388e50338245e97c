"""Which sessions hear a topic, and in which order: mosquitto's, so that the stage's transcripts are also its."""

from __future__ import annotations

from typing import Final

from halloween_host.mqtt import ProtocolVersion, Topic

from ._packets import Subscription
from ._session import Session

__all__ = ["Routes"]

_KEPT: Final = 4096

Target = tuple[Session, Subscription]


class Routes:
    """Targets are kept per topic until `changed`: a message's way to its subscribers is one look into a dict."""

    def __init__(self, sessions: dict[str, Session]) -> None:
        self._sessions = sessions
        self._targets: dict[Topic, list[Target]] = {}

    def changed(self) -> None:
        self._targets.clear()

    def targets(self, topic: Topic) -> list[Target]:
        """A session stands there once for each of its filters that match: overlapping ones double a message.

        mosquitto doubles under MQTT 5 alone; a 3.1.1 client has one, at the QoS of the first filter.
        """
        found = self._targets.get(topic)
        if found is None:
            if len(self._targets) >= _KEPT:
                self._targets.clear()
            found = self._targets[topic] = self._find(topic)
        return found

    def _find(self, topic: Topic) -> list[Target]:
        hits = [
            (_rank(topic_filter), subscription.number, (session, subscription))
            for session in self._sessions.values()
            for topic_filter, subscription in session.subscriptions.items()
            if topic.matches(topic_filter)
        ]
        hits.sort(key=lambda hit: hit[:2])
        found: list[Target] = []
        single: list[Session] = []
        for _, _, (session, subscription) in hits:
            if session.protocol is ProtocolVersion.V311:
                if session in single:
                    continue
                single.append(session)
            found.append((session, subscription))
        return found


def _rank(topic_filter: str) -> tuple[int, ...]:
    """mosquitto goes down its tree: at each level the name itself first, then ``+``, then ``#``, and at last the end."""
    return (*({"+": 1, "#": 2}.get(level, 0) for level in topic_filter.split("/")), 3)
