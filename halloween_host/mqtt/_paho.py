"""The one module that touches paho's private names. Tried with paho-mqtt 2.1.0 and 2.2.0.

tests/mqtt/test_paho.py fails when a name or a signature below changes in a new paho. What is private here:

- overridden: `_create_socket`, `_handle_connack`, `_handle_pubrec`, `_do_on_publish`, `_mid_generate`
- called: `_send_pingreq`
- read or set: `_sock`, `_in_packet`, `_out_messages`, `_keepalive`, `_ping_t`, `_client_id`
- `_WebsocketWrapper` and its `_socket`
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol, cast

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ._errors import MALFORMED, MALFORMED_PACKET, PROTOCOL_ERROR, ProtocolViolation
from ._transport import Transport

WebsocketHeaders = Mapping[str, str]

#: paho leaves this constructor without annotations.
_properties = cast(Callable[[int], Properties], Properties)


class Events(Protocol):
    """Whom paho's client tells what happened, while it parses: they note it and act later, outside paho's locks."""

    def connected(self, properties: Properties) -> None: ...
    def refused(self, code: int, properties: Properties | None) -> None: ...
    def arrived(self, message: paho.MQTTMessage) -> None: ...
    def settled(self, mid: int, code: int) -> None: ...
    def answered(self, mid: int, codes: list[int]) -> None: ...
    def dismissed(self, code: int, properties: Properties | None) -> None: ...
    def want_write(self) -> None: ...
    def next_identifier(self) -> int: ...


class PahoClient(paho.Client):
    """paho's protocol engine for one connection, on a transport that is connected already.

    paho is given no thread, no reconnecting and no limit of its own: each would act behind our back.
    """

    def __init__(
        self,
        *,
        identifier: str | None,
        protocol: MQTTProtocolVersion,
        clean_session: bool | None,
        transport: str,
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=identifier,
            clean_session=clean_session,
            protocol=protocol,
            transport=cast(Any, transport),
            reconnect_on_failure=False,
        )
        self._events: Events
        self._prepared: Any = None
        self.max_inflight_messages = 0
        self.max_queued_messages = 0

    def use(self, transport: Transport | WebsocketTransport, events: Events) -> None:
        """Let `connect` take this transport, and tell `events` what happens on it."""
        self._prepared = transport
        self._events = events
        self.on_connect = self._told_connack
        self.on_disconnect = self._told_disconnect
        self.on_message = lambda _client, _userdata, message: events.arrived(message)
        self.on_subscribe = self._told_answer
        self.on_unsubscribe = self._told_answer
        # Without it paho writes to the socket inside publish(); with it, it asks us to (_packet_queue).
        self.on_socket_register_write = lambda _client, _userdata, _sock: events.want_write()

    @property
    def identifier(self) -> str:
        return self._client_id.decode()

    @property
    def alive(self) -> bool:
        """False once paho has given the connection up, or has written its DISCONNECT."""
        return self._sock is not None

    def keep_alive_as(self, seconds: int) -> None:
        """Follow the server's keep-alive (MQTT 5, section 3.2.2.3.14): paho 2.1 does not."""
        self._keepalive = seconds

    def ping(self: paho.Client) -> None:
        """Queue a PINGREQ, of any client of paho's."""
        self._send_pingreq()

    def ping_answered(self: paho.Client) -> bool:
        """Whether no PINGREQ of any client of paho's waits for its answer."""
        return not self._ping_t

    def read_packet(self) -> None:
        """Parse the next packet that its transport holds.

        Raises:
            ProtocolViolation: when it cannot be read, or says what the protocol forbids.
        """
        try:
            code = self.loop_read()
        except MALFORMED as error:
            raise ProtocolViolation(MALFORMED_PACKET, f"paho cannot read a packet: {error}") from None
        if code:
            raise ProtocolViolation(PROTOCOL_ERROR, "a packet that paho refuses")

    @property
    def unfinished(self) -> Container[int]:
        """The packet identifiers of its own publishes that are not acknowledged."""
        return self._out_messages

    def abandon(self) -> None:
        """Forget the transport, which is closed already, without telling anyone."""
        self._sock = None
        self._prepared = None

    def _create_socket(self) -> Any:
        return self._prepared

    def _handle_connack(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if self.protocol != MQTTProtocolVersion.MQTTv5 and len(packet) == 2 and packet[1]:
            # paho would try MQTT 3.1 instead, or say nothing at all
            self._events.refused(packet[1], None)
            return MQTTErrorCode.MQTT_ERR_CONN_REFUSED
        return super()._handle_connack()

    def _handle_pubrec(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if self.protocol == MQTTProtocolVersion.MQTTv5 and len(packet) > 2 and packet[2] >= 0x80:
            # MQTT 5, section 4.3.3: a PUBREC with an error ends the exchange; paho answers it with PUBREL
            mid = packet[0] << 8 | packet[1]
            if mid in self._out_messages:
                reason = ReasonCode(PacketTypes.PUBREC, identifier=packet[2])
                return self._do_on_publish(mid, reason, _properties(PacketTypes.PUBREC))
        return super()._handle_pubrec()

    def _do_on_publish(self, mid: int, reason_code: ReasonCode, properties: Properties) -> MQTTErrorCode:
        # on_publish would be called for every QoS 0 message too, each with two new objects
        self._events.settled(mid, reason_code.value)
        return super()._do_on_publish(mid, reason_code, properties)

    def _mid_generate(self) -> int:
        return self._events.next_identifier()

    def _told_connack(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._events.refused(reason.value, properties)
        else:
            self._events.connected(properties or _properties(PacketTypes.CONNACK))

    def _told_disconnect(
        self, client: paho.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            # paho 2.1 overlooks a reason that comes without properties
            packet = self._in_packet["packet"]
            self._events.dismissed(packet[0] if packet else 0, properties)

    def _told_answer(
        self, client: paho.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._events.answered(mid, [reason.value for reason in reasons])


class WebsocketTransport(paho._WebsocketWrapper):
    """paho's websocket framing, whose hand-shake blocks, over our buffers afterwards.

    Over the bare socket paho loses a packet when the kernel takes only a part of its frame.
    """

    def __init__(
        self, sock: socket.socket, *, host: str, port: int, path: str, headers: WebsocketHeaders | None
    ) -> None:
        # The path may come without its slash, as in aiomqtt
        super().__init__(
            socket=sock,
            host=host,
            port=port,
            is_ssl=isinstance(sock, ssl.SSLSocket),
            path="/" + path.lstrip("/"),
            extra_headers=dict(headers) if headers else None,
        )

    def run_over(self, transport: Transport) -> None:
        self._socket = cast(Any, transport)
