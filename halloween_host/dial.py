"""A dial makes clients for one broker: links ask it for a new one at each attempt, and the rehearsal stage brings its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from halloween_host.mqtt import AnyClient, Client, ProtocolVersion, Will
from halloween_host.settings import BrokerSettings
from halloween_host.tls import tls_of

__all__ = ["CONNECT_TIMEOUT_S", "Dial", "open_dial"]

#: Seconds that a connection attempt may take.
CONNECT_TIMEOUT_S: Final = 10.0


class Dial(Protocol):
    """Makes an unentered client. Clean start and session expiry 0, always: no session keeps the night's commands."""

    def __call__(
        self, client_id: str, protocol: ProtocolVersion, will: Will | None
    ) -> AbstractAsyncContextManager[AnyClient]: ...


def open_dial(broker: BrokerSettings) -> Dial:
    """The dial of a real broker.

    Raises:
        InvalidSettings: as `tls_of`.
    """
    assert broker.host is not None, "an embedded broker's address is filled in before"
    options: dict[str, Any] = {
        "username": broker.username,
        "password": broker.password,
        "tls_context": tls_of(broker),
        "transport": broker.transport,
        "keepalive": broker.keepalive_s,
        "fast_path": None if broker.fast_path else False,  # the process's environment may forbid it too
        "timeout": CONNECT_TIMEOUT_S,
    }
    host, port = broker.host, broker.port

    def dial(client_id: str, protocol: ProtocolVersion, will: Will | None) -> Client:
        return Client(host, port, identifier=client_id, protocol=protocol, will=will, **options)

    return dial
