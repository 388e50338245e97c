"""A client in a thread of its own, which hears and speaks while the event loop of the process is blocked.

It drives paho by its calls for foreign loops, with poll(2): paho's own loop waits by select(2), which fails for a
descriptor over 1,023, and a host with many workers has more.
"""

from __future__ import annotations

import contextlib
import math
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from halloween_host.backoff import full_jitter

from ._blocking_session import BlockingSession
from ._errors import MALFORMED, MqttCodeError, MqttError, MqttTimeoutError, explain
from ._keep_alive import KeepAlive
from ._messages import Message
from ._options import PayloadType, ProtocolVersion, encode_payload
from ._paho import PahoClient

#: Seconds: the cap of the back-off while the broker is away, and while it refuses us or cuts us off again and again.
BACKOFF_CAP_S: Final = 5.0
REFUSED_CAP_S: Final = 30.0
#: A connection cut sooner than this after its CONNACK counts as a failed attempt.
SHORT_S: Final = 5.0
_READ: Final = select.POLLIN | select.POLLHUP | select.POLLERR


class BlockingClient:
    """Keeps one connection from `start` to `close`, and comes back by itself for ever.

    The callbacks run in the client's thread and must not block: `on_message` with each message, `on_subscribed` when
    the broker took all `filters` on a new connection, `on_trouble` with each attempt that failed and each connection
    lost. Every connection is a clean start with a paho object of its own: nothing is sent twice. With `protocol` None
    MQTT 5 is tried, then 3.1.1. Under MQTT 5 a message that was published retained is marked so also when it is live.
    `keepalive` and `timeout` are seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        identifier: str,
        filters: Sequence[str],
        on_message: Callable[[Message], None],
        on_subscribed: Callable[[], None],
        on_trouble: Callable[[MqttError], None],
        protocol: ProtocolVersion | None = None,
        username: str | None = None,
        password: str | None = None,
        tls_context: ssl.SSLContext | None = None,
        transport: Literal["tcp", "websockets"] = "tcp",
        keepalive: int = 5,
        timeout: float = 10.0,
        random_: Callable[[], float] = random.random,
    ) -> None:
        self._host = host
        self._port = port
        self._identifier = identifier
        self._filters = tuple(filters)
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._on_trouble = on_trouble
        self._fixed = protocol
        self._protocol = protocol or ProtocolVersion.V5
        self._guessing = False  # 3.1.1 is tried because MQTT 5 got no answer
        self._username = username
        self._password = password
        self._tls_context = tls_context
        self._transport = transport
        self._keepalive = keepalive
        self._timeout_s = timeout
        self._random = random_
        self._closed = threading.Event()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._session: BlockingSession | None = None
        self._thread = threading.Thread(target=self._run, name=f"mqtt {identifier}", daemon=True)

    @property
    def subscribed(self) -> bool:
        """Whether the broker took our filters on the current connection, as far as is known."""
        session = self._session
        return session is not None and session.subscribed

    @property
    def connected(self) -> bool:
        """Whether the broker took us, as far as is known."""
        session = self._session
        return session is not None and session.connected

    def start(self) -> None:
        """Begin to connect, and return at once."""
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Disconnect and end; after `timeout_s` the thread is left behind (a name look-up cannot be interrupted)."""
        self._closed.set()
        self._wake()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._wake_in.close()
            self._wake_out.close()

    def publish(
        self, topic: str, payload: PayloadType = None, qos: int = 0, retain: bool = False, *, wait_s: float = 0.0
    ) -> bool:
        """Publish from any thread; True when it was acknowledged (QoS 0: written) within `wait_s`. Never raises for a lost link.

        Raises:
            ValueError: for an invalid topic or QoS, or a payload that MQTT cannot carry.
            TypeError: for a payload that is no `PayloadType`.
        """
        data = encode_payload(payload)
        session = self._session
        if session is None or not session.connected:
            return False
        sent = session.paho.publish(topic, data, qos, retain)
        self._wake()
        try:
            sent.wait_for_publish(wait_s)
            return sent.is_published()
        except (RuntimeError, ValueError):  # paho's words for: no connection any more
            return False

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: nobody is left
            self._wake_out.send(b"\0")

    def _run(self) -> None:
        attempt = -1
        while not self._closed.is_set():
            session = BlockingSession(self._make_paho(), self._filters, self._on_message, self._on_subscribed)
            try:
                self._serve(session)
                return
            except MqttError as mqtt_error:
                error = mqtt_error
            except (OSError, paho.WebsocketConnectionError, *MALFORMED) as foreign:
                error = MqttError(f"{self._where(session)}: {explain(foreign)}")
            except Exception as bug:  # noqa: BLE001 a thread that died of a bug, paho's or ours, would take the STOP with it
                error = MqttError(f"{self._where(session)}: {type(bug).__name__}: {bug}")
            finally:
                self._session = None
                session.hang_up()
            if not session.connected and self._fall_back(error):
                continue
            lasted_s = time.monotonic() - session.connected_at if session.connected else 0.0
            attempt = -1 if lasted_s >= SHORT_S else attempt + 1
            self._on_trouble(error)
            cap_s = REFUSED_CAP_S if session.connected or isinstance(error, MqttCodeError) else BACKOFF_CAP_S
            # a broker that merely restarted is joined again at once
            delay_s = full_jitter(attempt, cap_s=cap_s, random=self._random) if attempt >= 0 else 0.0
            self._closed.wait(delay_s)

    def _serve(self, session: BlockingSession) -> None:
        """One connection, from its attempt to its end; returns when `close` was called.

        Raises:
            MqttError: when it could not be had, was lost, or the broker refused it or a filter.
            OSError: for what the network says; and what paho raises on bytes that are no MQTT.
        """
        client = session.paho
        client.connect(self._host, self._port, self._keepalive)
        _send_at_once(client.socket())
        self._session = session
        poller = select.poll()
        poller.register(self._wake_in, select.POLLIN)
        alive = asleep = KeepAlive(0, 0)
        deadline = time.monotonic() + self._timeout_s
        while not self._closed.is_set():
            sock = client.socket()
            if sock is None:
                raise session.lost or MqttError(f"{self._where(session)}: the broker closed the connection")
            poller.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            number, held_back = sock.fileno(), self._held_back(sock)
            ready = dict(poller.poll(0 if held_back else _patience_ms(session, alive, deadline)))
            if self._wake_in.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)
            code = MQTTErrorCode.MQTT_ERR_SUCCESS
            if held_back or ready.get(number, 0) & _READ:
                alive.heard()
                code = client.loop_read()
            if session.connected and alive is asleep:
                alive = KeepAlive(client.keepalive, time.monotonic())  # as the broker may have said in its CONNACK
            if PahoClient.ping_answered(client):
                alive.answered()
            if alive.look(time.monotonic()):
                PahoClient.ping(client)  # goes out with what waits to be written
            code = code or (client.loop_write() if client.want_write() else code)
            if session.lost is not None:
                raise session.lost
            if code:
                raise MqttError(f"{self._where(session)}: {paho.error_string(code).rstrip('.').lower()}")
            if not session.subscribed and time.monotonic() > deadline:
                what = "subscription was not acknowledged" if session.connected else "broker did not answer"
                raise MqttTimeoutError(f"{self._where(session)}: the {what} in {self._timeout_s:g} s")

    def _held_back(self, sock: Any) -> bool:
        """Whether TLS holds bytes that poll knows nothing of."""
        return self._tls_context is not None and sock.pending() > 0

    def _where(self, session: BlockingSession) -> str:
        return f"{'lost' if session.connected else 'cannot connect to'} {self._host}:{self._port}"

    def _fall_back(self, error: MqttError) -> bool:
        """Whether to try MQTT 3.1.1 at once: the broker refused MQTT 5, or said nothing to it (amqtt 0.12)."""
        if self._fixed is not None:
            return False
        if self._guessing:  # 3.1.1 brought nothing either
            self._guessing, self._protocol = False, ProtocolVersion.V5
            return False
        refused = isinstance(error, MqttCodeError) and error.unsupported_protocol
        self._guessing = isinstance(error, MqttTimeoutError)
        if self._protocol is not ProtocolVersion.V5 or not (refused or self._guessing):
            return False
        self._protocol = ProtocolVersion.V311
        return True

    def _make_paho(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._identifier,
            clean_session=True if self._protocol is ProtocolVersion.V311 else None,
            protocol=MQTTProtocolVersion(self._protocol),
            transport=self._transport,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._timeout_s
        # With it paho leaves all writing to our thread; without it publish() writes to the socket in its caller's. Not
        # here is our thread woken: paho calls it for the first packet alone, and when that is gone is its own affair.
        client.on_socket_register_write = lambda _client, _userdata, _sock: None
        if self._username is not None:
            client.username_pw_set(self._username, self._password)
        if self._tls_context is not None:
            client.tls_set_context(self._tls_context)
        return client


def _patience_ms(session: BlockingSession, alive: KeepAlive, deadline: float) -> int | None:
    """Until a sign of life is due, or until the broker ought to have taken our filters; None: neither is to come.

    Not for a second less: who is woken for nothing wakes the processor too, on every host and all night.
    """
    due = alive.wake_at if session.subscribed else min(alive.wake_at, deadline)
    return max(1, math.ceil((due - time.monotonic()) * 1_000)) if due < math.inf else None


def _send_at_once(sock: Any) -> None:
    """TCP_NODELAY, which paho leaves off: a second publish would wait 40 ms for the kernel's acknowledgement of the first."""
    with contextlib.suppress(OSError), socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
        twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
