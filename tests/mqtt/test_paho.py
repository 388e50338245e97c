"""paho's private names that halloween_host/mqtt/_paho.py leans on are still what they were in 2.1 and 2.2."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from halloween_host.mqtt._paho import LAST_IN

SIGNATURES = {
    "_create_socket": "(self)",
    "_handle_connack": "(self)",
    "_handle_pubrec": "(self)",
    "_do_on_publish": "(self, mid, reason_code, properties)",
    "_mid_generate": "(self)",
    "_packet_queue": "(self, command, packet, mid, qos, info)",
    "_packet_write": "(self)",
}

ATTRIBUTES: dict[str, type] = {
    "_client_id": bytes,
    "_in_packet": dict,
    "_keepalive": int,
    LAST_IN: float,
    "_last_msg_out": float,
    "_out_messages": dict,
    "_ping_t": float,
    "_sock": type(None),
}


def test_the_version_was_tried() -> None:
    """Another paho may work: run tests/mqtt with it, then name it here and in _paho.py."""
    assert version("paho-mqtt").rsplit(".", 1)[0] in ("2.1", "2.2")


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_have_their_signature(name: str) -> None:
    """What we override or are called by takes the same arguments."""
    parameters = inspect.signature(getattr(paho.Client, name)).parameters
    assert f"({', '.join(parameters)})" == SIGNATURES[name]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_there(name: str) -> None:
    """What we read or set exists from the start, with its type."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    assert isinstance(getattr(client, name), ATTRIBUTES[name])


def test_connect_asks_for_the_socket_once_and_queues_connect() -> None:
    """`connect` takes our transport from `_create_socket` and writes nothing itself once a write hook is set."""

    class Silent:
        sent = b""

        def setblocking(self, flag: bool) -> None: ...
        def close(self) -> None: ...

        def send(self, data: bytes) -> int:
            self.sent += data
            return len(data)

    asked: list[int] = []
    silent = Silent()

    class Client(paho.Client):
        def _create_socket(self) -> object:  # type: ignore[override]  # a stand-in
            asked.append(1)
            return silent

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_socket_register_write = lambda *_: asked.append(2)
    client.connect("nowhere.invalid")
    assert (asked, silent.sent) == ([1, 2], b"")
    client.loop_write()
    assert silent.sent.startswith(b"\x10")
    client._sock = None


def test_the_websocket_framing_has_its_socket() -> None:
    """`_WebsocketWrapper` takes these arguments and keeps the socket under `_socket`."""
    assert list(inspect.signature(paho._WebsocketWrapper.__init__).parameters) == [
        "self",
        "socket",
        "host",
        "port",
        "is_ssl",
        "path",
        "extra_headers",
    ]
    assert "self._socket = socket" in inspect.getsource(paho._WebsocketWrapper.__init__)
