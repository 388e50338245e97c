"""Blocking clients for tests, closed at their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from halloween_host.mqtt import BlockingClient
from tests.mosquitto import Mosquitto
from tests.mqtt.blocking import Heard


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def open_client(heard: Heard) -> Iterator[Callable[..., BlockingClient]]:
    """Make and start a client; all are closed at the end, and none leaves its thread behind."""
    clients: list[BlockingClient] = []

    def make(broker: Mosquitto | int, **options: Any) -> BlockingClient:
        port = broker if isinstance(broker, int) else broker.port
        client = heard.client("127.0.0.1", port, **options)
        clients.append(client)
        client.start()
        return client

    before = set(threading.enumerate())
    yield make
    for client in clients:
        client.close(5.0)
        assert not client.subscribed
    assert set(threading.enumerate()) <= before
