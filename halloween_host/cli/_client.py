"""A command that wants one thing of the broker opens one connection, and says in one line why it got none."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from halloween_host.cli._environment import reachable
from halloween_host.mqtt import Client, MqttCodeError, ProtocolVersion
from halloween_host.settings import BrokerSettings
from halloween_host.tls import tls_of

__all__ = ["client_id_for", "connected"]


def client_id_for(command: str) -> str:
    """An id of its own: the host's would take the host's connection over. At most 23 characters, which every broker takes."""
    return f"halloween-{command[:6]}-{secrets.token_hex(3)}"


@asynccontextmanager
async def connected(settings: BrokerSettings, command: str, *, timeout_s: float = 10.0) -> AsyncIterator[Client]:
    """A client on the settings' broker; MQTT 5 first and 3.1.1 when the broker knows no 5, as the host does.

    Raises:
        MqttError: when the broker cannot be reached or refuses us; the text names it.
    """
    broker = reachable(settings)
    assert broker.host is not None
    versions = {"5": [ProtocolVersion.V5], "3.1.1": [ProtocolVersion.V311]}
    async with AsyncExitStack() as stack:
        for version in versions.get(broker.protocol, [ProtocolVersion.V5, ProtocolVersion.V311]):
            client = Client(
                broker.host,
                broker.port,
                username=broker.username,
                password=broker.password,
                identifier=client_id_for(command),
                protocol=version,
                tls_context=tls_of(broker),
                transport=broker.transport,
                keepalive=broker.keepalive_s,
                timeout=timeout_s,
            )
            try:
                await stack.enter_async_context(client)
                break
            except MqttCodeError as error:
                if broker.protocol != "auto" or version is ProtocolVersion.V311 or not error.unsupported_protocol:
                    raise
        yield client
