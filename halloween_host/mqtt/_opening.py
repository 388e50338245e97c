"""Opening blocks in a thread (name look-up, TCP, TLS, websocket hand-shake), and can be given up at any moment.

No byte of MQTT is sent here: a CONNECT that leaves after its caller gave up would take the client id over from the
caller's next attempt.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import attrs

from ._options import TLSParameters
from ._paho import WebsocketHeaders, WebsocketTransport
from ._transport import Transport
from ._trust import HANDSHAKE_CUT

SocketT = TypeVar("SocketT", bound=socket.socket)
SocketOption = tuple[int, int, int | bytes]


@attrs.frozen
class Route:
    """How to reach the broker. `tls` is None for a connection in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | TLSParameters | None = None
    tls_insecure: bool = False
    websocket_path: str | None = None
    websocket_headers: WebsocketHeaders | None = None
    source: tuple[str, int] | None = None
    socket_options: Sequence[SocketOption] = ()


class Opening:
    """One attempt to open `route` within `timeout_s`."""

    def __init__(self, route: Route, timeout_s: float) -> None:
        self._route = route
        self._deadline = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._given_up = False
        self._finished = False
        self._socket: socket.socket | None = None

    async def run(self) -> tuple[Transport, Transport | WebsocketTransport]:
        """The transport for the pumps, and what paho shall take for its socket.

        Raises:
            OSError: when a step failed, TLS and websocket errors included. Cancelling closes the socket at once.
        """
        try:
            sock, websocket = await anyio.to_thread.run_sync(
                # a limiter of its own: an attempt that hangs in a name look-up must not make another wait
                self._open,
                abandon_on_cancel=True,
                limiter=anyio.CapacityLimiter(1),
            )
        except BaseException:
            self._give_up()
            raise
        transport = Transport(sock)
        if websocket is None:
            return transport, transport
        websocket.run_over(transport)
        return transport, websocket

    def _give_up(self) -> None:
        with self._lock:
            self._given_up = True
            if self._socket is None:
                return
            if self._finished:
                self._socket.close()
            else:
                # Wakes the thread out of a connect() or a hand-shake; it closes the descriptor itself, which could
                # be another file's number the moment it is closed here.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _open(self) -> tuple[socket.socket, WebsocketTransport | None]:
        route = self._route
        try:
            sock = self._connect()
            if route.tls is not None:
                sock = self._wrap(sock, route.tls)
            websocket = None
            if route.websocket_path is not None:
                self._limit(sock)
                websocket = WebsocketTransport(
                    sock, host=route.host, port=route.port, path=route.websocket_path, headers=route.websocket_headers
                )
            with self._lock:
                self._check_wanted()
                self._finished = True
            return sock, websocket
        except BaseException:
            if self._socket is not None:
                self._socket.close()
            raise

    def _connect(self) -> socket.socket:
        failure: OSError | None = None
        for family, kind, protocol, _, address in self._addresses():
            sock = self._hold(socket.socket(family, kind, protocol))
            try:
                for option in self._route.socket_options:
                    sock.setsockopt(*option)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._route.source is not None:
                    sock.bind(self._route.source)
                self._limit(sock)
                sock.connect(address)
                return sock
            except OSError as error:
                sock.close()
                failure = failure or error
        raise failure or socket.gaierror(socket.EAI_NONAME, "the name has no address")

    def _addresses(self) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]:
        try:
            return list(socket.getaddrinfo(self._route.host, self._route.port, type=socket.SOCK_STREAM))
        except ValueError:  # a label over 63 characters, a NUL: what no resolver is asked
            raise socket.gaierror(socket.EAI_NONAME, "this cannot be a host's name") from None

    def _wrap(self, sock: socket.socket, tls: ssl.SSLContext | TLSParameters) -> ssl.SSLSocket:
        context = tls.context() if isinstance(tls, TLSParameters) else tls
        if self._route.tls_insecure:
            context.check_hostname = False
        wrapped = context.wrap_socket(sock, server_hostname=self._route.host, do_handshake_on_connect=False)
        self._hold(wrapped)
        self._limit(wrapped)
        try:
            wrapped.do_handshake()
        except (ConnectionResetError, ssl.SSLEOFError):
            raise ConnectionError(HANDSHAKE_CUT) from None
        return wrapped

    def _hold(self, sock: SocketT) -> SocketT:
        with self._lock:
            self._socket = sock
            self._check_wanted()
        return sock

    def _check_wanted(self) -> None:
        if self._given_up:
            raise ConnectionAbortedError("given up")

    def _limit(self, sock: socket.socket) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
