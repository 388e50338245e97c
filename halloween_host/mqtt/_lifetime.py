"""A connection's life is an ``async with``: opened in a thread, pumped by tasks of its own, closed with DISCONNECT."""

from __future__ import annotations

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Literal, Self

import anyio
import anyio.abc
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.properties import Properties

from ._connection import Connection
from ._errors import MqttError, MqttTimeoutError, explain
from ._messages import Messages
from ._opening import Opening, Route, SocketOption
from ._options import ProtocolVersion, TLSParameters, Will, encode_payload
from ._paho import PahoClient, WebsocketHeaders
from ._topics import check_topic

#: Whether PUBLISH packets pass paho by; `MQTT_FAST_PATH=0` in the environment, read when the process starts, says no.
FAST_PATH: Final = os.environ.get("MQTT_FAST_PATH", "1").strip() != "0"


class Lifetime:
    """What `Client` is besides its calls: the arguments, ``async with``, and how the connection ends."""

    def __init__(
        self,
        hostname: str,
        port: int = 1883,
        *,
        username: str | None = None,
        password: str | None = None,
        identifier: str | None = None,
        protocol: ProtocolVersion | None = None,
        will: Will | None = None,
        tls_context: ssl.SSLContext | None = None,
        tls_params: TLSParameters | None = None,
        tls_insecure: bool = False,
        transport: Literal["tcp", "websockets"] = "tcp",
        websocket_path: str = "/mqtt",
        websocket_headers: WebsocketHeaders | None = None,
        keepalive: int = 60,
        clean_session: bool | None = None,
        clean_start: bool = True,
        properties: Properties | None = None,
        timeout: float = 10.0,
        max_queued_incoming_messages: int | None = 100_000,
        max_queued_outgoing_messages: int | None = None,
        max_inflight_messages: int = 20,
        bind_address: str = "",
        bind_port: int = 0,
        socket_options: Sequence[SocketOption] = (),
        logger: logging.Logger | None = None,
        fast_path: bool | None = None,
    ) -> None:
        if not hostname or not 0 < port < 65_536:
            raise ValueError(f"no address of a broker: {hostname!r}, port {port}")
        if tls_context is not None and tls_params is not None:
            raise ValueError("tls_context and tls_params exclude each other")
        if properties is not None and protocol != ProtocolVersion.V5:
            raise ValueError("properties belong to MQTT 5: protocol=ProtocolVersion.V5")
        if max_inflight_messages < 1:
            raise ValueError(f"max_inflight_messages={max_inflight_messages}: at least 1")
        self.timeout = timeout
        self._name = f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"
        self._protocol = protocol or ProtocolVersion.V311
        self._route = Route(
            host=hostname,
            port=port,
            tls=tls_context or tls_params,
            tls_insecure=tls_insecure,
            websocket_path=websocket_path if transport == "websockets" else None,
            websocket_headers=websocket_headers,
            source=(bind_address, bind_port) if bind_address or bind_port else None,
            socket_options=tuple(socket_options),
        )
        self._max_inflight = max_inflight_messages
        self._max_outgoing = max_queued_outgoing_messages
        self._messages = Messages(max_queued_incoming_messages, self._say_dropped)
        self._logger = logger or logging.getLogger("halloween_host.mqtt")
        # paho's websocket framing stands between our frames and the socket
        self._fast = transport == "tcp" and (FAST_PATH if fast_path is None else fast_path)
        self._entered = False
        self._connection: Connection | None = None
        self._tasks: anyio.abc.TaskGroup
        self._clean_start = clean_start
        self._properties = properties
        self._keepalive = keepalive
        self._paho = PahoClient(
            identifier=identifier,
            protocol=MQTTProtocolVersion(self._protocol),
            clean_session=clean_session,
            transport=transport,
        )
        self._paho.keepalive = keepalive
        self._paho.username_pw_set(username, password)
        if will is not None:
            check_topic(will.topic)
            self._paho.will_set(will.topic, encode_payload(will.payload), will.qos, will.retain, will.properties)
        if logger is not None:
            self._paho.enable_logger(logger)

    @property
    def messages(self) -> Messages:
        """What arrives: ``async for message in client.messages``, or ``await client.messages.batch()``."""
        return self._messages

    @property
    def protocol(self) -> ProtocolVersion:
        """The version of MQTT that this connection speaks."""
        return self._protocol

    @property
    def identifier(self) -> str:
        """The client id: the one given, or the one an MQTT 5 broker chose; else empty."""
        assigned = getattr(self._connection and self._connection.properties, "AssignedClientIdentifier", None)
        return str(assigned or self._paho.identifier)

    @property
    def connected(self) -> bool:
        """True while something can be sent."""
        return self._connection is not None and self._connection.lost is None and not self._connection.closing

    async def __aenter__(self) -> Self:
        if self._entered:
            raise MqttError("a Client is entered once: make a new one for each connection")
        self._entered = True
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        try:
            await self._connect()
        except BaseException as error:
            await self._end(MqttError(f"no connection to {self._name}: {explain(error)}"))
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._open().disconnect(self.timeout)
        finally:
            await self._end(MqttError(f"the connection to {self._name} was closed"))

    def _open(self) -> Connection:
        if self._connection is None:
            raise MqttError(f"there is no connection to {self._name}: use the client inside its `async with`")
        return self._connection

    async def _connect(self) -> None:
        with self._deadline(None, f"no connection to {self._name}: no answer"):
            try:
                transport, paho_socket = await Opening(self._route, self.timeout).run()
            except OSError as error:
                raise MqttError(f"no connection to {self._name}: {explain(error)}") from error
            connection = self._connection = Connection(
                self._name,
                transport,
                self._paho,
                self._messages,
                in_flight=self._max_inflight,
                capacity=self._max_outgoing,
                timeout_s=self.timeout,
                fast=self._fast,
                offered=self._properties,
            )
            self._paho.use(paho_socket, connection)
            clean_start = self._clean_start if self._protocol == ProtocolVersion.V5 else MQTT_CLEAN_START_FIRST_ONLY
            self._paho.connect(
                self._route.host,
                self._route.port,
                self._keepalive,
                clean_start=clean_start,
                properties=self._properties,
            )
            self._tasks.start_soon(connection.read_pump)
            self._tasks.start_soon(connection.write_pump)
            await connection.accepted.wait()
            connection.check_open()
            self._tasks.start_soon(connection.keep_alive)

    async def _end(self, error: MqttError) -> None:
        if self._connection is not None:
            self._connection.lose(error)
        self._messages.end(error)
        # The body's exception is not handed to the task group: it would come out wrapped in an exception group
        await self._tasks.__aexit__(None, None, None)

    @contextlib.contextmanager
    def _deadline(self, timeout: float | None, what: str) -> Iterator[None]:
        seconds = self.timeout if timeout is None else timeout
        with anyio.move_on_after(seconds) as scope:
            yield
        if scope.cancelled_caught:
            raise MqttTimeoutError(f"{what} within {seconds:g} s")

    def _say_dropped(self, dropped: int) -> None:
        self._logger.warning("incoming queue full, newest messages dropped: %d so far from %s", dropped, self._name)
