"""What paho tells of one connection of the blocking client, from CONNACK to its loss."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ._errors import MALFORMED, MqttCodeError, MqttError
from ._messages import Message
from ._topics import Topic


class BlockingSession:
    """Its attributes may be read from any thread; `lost` is why the connection ends, once that is known."""

    def __init__(
        self,
        client: paho.Client,
        filters: Sequence[str],
        on_message: Callable[[Message], None],
        on_subscribed: Callable[[], None],
    ) -> None:
        self.paho = client
        self.connected = False
        self.connected_at = 0.0
        self.subscribed = False
        self.lost: MqttError | None = None
        self._filters = filters
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        client.on_connect = self._told_connack
        client.on_subscribe = self._told_suback
        client.on_disconnect = self._told_disconnect
        client.on_message = self._told_message

    def hang_up(self) -> None:
        """Say good-bye if it can be said without waiting, and close."""
        self.subscribed = False
        self.paho.on_disconnect = None
        with contextlib.suppress(OSError, *MALFORMED):
            self.paho.disconnect()
            self.paho.loop_write()
        sock = self.paho.socket()
        if sock is not None:
            sock.close()

    def _told_connack(
        self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self.lost = MqttCodeError(reason.value, f"{client.host}:{client.port} refused the connection")
            return
        self.connected = True
        self.connected_at = time.monotonic()
        if client.protocol == MQTTProtocolVersion.MQTTv5:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            client.subscribe([(each, options) for each in self._filters])
        else:
            client.subscribe([(each, 1) for each in self._filters])

    def _told_suback(
        self, _client: paho.Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        for topic_filter, reason in zip(self._filters, reasons, strict=False):
            if reason.value >= 0x80:
                self.lost = MqttCodeError(reason.value, f"the subscription to {topic_filter!r} was refused")
                return
        self.subscribed = True
        self._on_subscribed()

    def _told_disconnect(
        self, client: paho.Client, _userdata: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self.lost is None and self.connected and flags.is_disconnect_packet_from_server:
            self.lost = MqttCodeError(reason.value, f"lost {client.host}:{client.port}")

    def _told_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        self._on_message(
            Message(
                Topic(message.topic),
                bytes(message.payload),
                message.qos,
                message.retain,
                message.mid,
                message.properties,
            )
        )
