"""`self.mqtt`, as 2025's workers know it: publish, subscribe, and handlers for messages, called from any thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs

from halloween_host import topics
from halloween_host.errors import TopicError
from halloween_host.mqtt import Topic, Wildcard
from halloween_host.outbox import Kind
from halloween_host.payloads import legacy_value
from halloween_host.worker import Arrival, Berth, Delivery, check_qos

__all__ = ["LegacyMessage", "LegacyMqtt"]

_HOSTS_KEYS: Final = ("availability", "health")
_LINE_KEYS: Final = ("error", "warn")


@attrs.frozen
class LegacyMessage:
    """A message as `on_message` and message handlers get it; `payload` is bytes."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    _delivery: Delivery | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, arrival: Arrival, delivery: Delivery | None = None) -> LegacyMessage:
        return cls(arrival.topic, arrival.payload, arrival.qos, arrival.retain, delivery)


class LegacyMqtt:
    """What a worker's constructor gets as `mqtt`. Every call is plain and may come from any thread."""

    def __init__(self, prop_id: str, berth: Berth, dispatch: Callable[[LegacyMessage], Awaitable[object]]) -> None:
        self._prop_id = prop_id
        self._halloween_berth = berth
        self._halloween_dispatch = dispatch
        self._halloween_handlers: list[Callable[[Any], object]] = []

    def publish(self, topic: str, payload: object = None, qos: int = 0, retain: bool = False) -> None:
        """Publish on any topic; `payload` is sent as ``str(payload)``, bytes as they are, None as an empty message.

        Raises:
            TopicError: when no message can be published on `topic`.
            PayloadError: when the text is no UTF-8, or there is no such QoS.
        """
        check_qos(qos)
        try:
            Topic(topic)
        except ValueError as error:
            raise TopicError(topic, f"is no topic: {error}") from None
        parsed = topics.parse_topic(topic)
        kind: Kind = "status"
        if parsed is not None:
            if parsed.kind == "status" and parsed.key in _HOSTS_KEYS:
                self._halloween_berth.outlet.warn(f"publish to {topic} is the host's to say and was dropped")
                return
            if parsed.kind == "cmd":
                kind, retain = "command", False  # retained, it would fire the prop at each reconnect
            elif parsed.kind == "telemetry" and parsed.prop_id == self._prop_id:
                kind = "telemetry"
            elif parsed.kind == "status" and parsed.key in _LINE_KEYS:
                kind = "line"
        body = b"" if payload is None else legacy_value(payload)
        self._halloween_berth.outlet.post(topic, body, kind, qos, retain)

    def subscribe(self, topic_filter: str, qos: int = 0) -> None:
        """Hear what matches, and what is retained there; it goes to the message handlers and an overridden `on_message`.

        Raises:
            TopicError: when `topic_filter` is no topic filter (MQTT 3.1.1, section 4.7).
            PayloadError: when there is no such QoS.
        """
        check_qos(qos)
        try:
            Wildcard(topic_filter)
        except ValueError as error:
            raise TopicError(topic_filter, f"is no topic filter: {error}") from None
        self._halloween_berth.subscribe(topic_filter, qos)

    def add_message_handler(self, handler: Callable[[Any], object]) -> None:
        """Call ``handler(message)`` for each message on the worker's `cmd` and on what it subscribed to.

        Handlers run one at a time, in a thread of this worker's own.
        """
        self._halloween_handlers.append(handler)
