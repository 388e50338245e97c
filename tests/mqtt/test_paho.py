"""paho's private names that halloween_host/mqtt/_paho.py leans on are still what they were in 2.1 and 2.2, and mean the same."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from halloween_host import mqtt
from halloween_host.mqtt import _paho
from halloween_host.mqtt._paho import PahoClient, WebsocketTransport
from tests.mqtt.backends import CONNACK, CONNACK_5
from tests.mqtt.packets import Publish
from tests.mqtt.parsers import Wire

V311, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5

SIGNATURES = {
    "_create_socket": "(self)",
    "_handle_connack": "(self)",
    "_handle_pubrec": "(self)",
    "_do_on_publish": "(self, mid, reason_code, properties)",
    "_mid_generate": "(self)",
    "_packet_queue": "(self, command, packet, mid, qos, info)",
    "_packet_write": "(self)",
    "_send_pingreq": "(self)",
}

ATTRIBUTES: dict[str, type] = {
    "_client_id": bytes,
    "_in_packet": dict,
    "_keepalive": int,
    "_out_messages": dict,
    "_ping_t": float,
    "_sock": type(None),
}

#: Of `_WebsocketWrapper`, each with a test below.
WEBSOCKET = {"_WebsocketWrapper", "_socket"}


def private_names(path: Path) -> set[str]:
    """Private names of others that a module uses: overridden, read, set or called; not those of its own classes."""
    tree = ast.parse(path.read_text())
    own, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            own |= {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            own.add(node.target.attr)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            used.add(node.attr)
    return (used - own) | {name for name in own if hasattr(paho.Client, name) and name.startswith("_")} - {"__init__"}


def test_every_private_name_is_tested() -> None:
    """What `_paho.py` uses of paho stands in the tables here and in its own docstring."""
    names = private_names(Path(_paho.__file__))
    assert names == (set(SIGNATURES) | set(ATTRIBUTES) | WEBSOCKET) - {"_packet_queue", "_packet_write"}
    assert _paho.__doc__ is not None
    assert {name for name in names if f"`{name}`" not in _paho.__doc__} == set()


def test_no_other_module_touches_them() -> None:
    """All that is private to paho stands in one module: the others reach for nobody's private names but their own."""
    private = set(SIGNATURES) | set(ATTRIBUTES) | WEBSOCKET | {"_last_msg_in", "_last_bytes_received", "_out_packet"}
    assert mqtt.__file__ is not None
    for path in Path(mqtt.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in private and path.name != "_paho.py":
                assert isinstance(node.value, ast.Name), f"{path.name}, line {node.lineno}"
                assert node.value.id == "self", f"{path.name}, line {node.lineno}"


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


class Told:
    """`Events` that are kept, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.identifier = 0

    def next_identifier(self) -> int:
        self.identifier += 1000
        return self.identifier

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.events.append((name, *arguments[:2]))


class Rig:
    """Our subclass on a wire in memory, after its CONNECT and a CONNACK."""

    def __init__(self, protocol: MQTTProtocolVersion, connack: bytes | None = None) -> None:
        self.told = Told()
        self.wire = Wire()
        self.client = PahoClient(identifier="rig", protocol=protocol, clean_session=None, transport="tcp")
        self.client.use(self.wire, self.told)  # type: ignore[arg-type]  # a stand-in for the transport
        assert self.client.identifier == "rig"
        self.client.connect("nowhere.invalid")
        assert (self.wire.sent, self.told.events) == (b"", [("want_write",)])
        assert self.written().startswith(b"\x10")
        self.told.events.clear()
        self.read((CONNACK_5 if protocol is V5 else CONNACK) if connack is None else connack)

    def read(self, data: bytes) -> int:
        """One call of paho's for one packet."""
        self.wire.served += data
        code = self.client.loop_read()
        assert not self.wire.served
        return code

    def written(self) -> bytes:
        """What it wrote since."""
        self.client.loop_write()
        sent, self.wire.sent = self.wire.sent, b""
        return sent


@pytest.mark.parametrize("protocol", [V311, V5])
def test_connecting(protocol: MQTTProtocolVersion) -> None:
    """`connect` asks `_create_socket` for our transport, writes when it is told to, and CONNACK comes to `_handle_connack`."""
    rig = Rig(protocol)
    assert rig.client.alive
    assert [name for name, *_ in rig.told.events] == ["connected"]
    refused = Rig(protocol, b"\x20\x03\x00\x87\x00" if protocol is V5 else b"\x20\x02\x00\x05")
    assert [event[:2] for event in refused.told.events] == [("refused", 135 if protocol is V5 else 5)]


def test_identifiers_come_from_us() -> None:
    """`_mid_generate` is asked once for each publish, subscription and end of one, and what it says goes out."""
    rig = Rig(V311)
    assert rig.client.publish("t", qos=2).mid == 1000
    assert rig.client.subscribe("t")[1] == 2000
    assert rig.client.unsubscribe("t")[1] == 3000
    assert list(rig.client.unfinished) == [1000]  # type: ignore[call-overload]  # a Container that is a dict
    sent = rig.written()
    assert [number.to_bytes(2, "big") in sent for number in (1000, 2000, 3000, 4000)] == [True, True, True, False]


def test_qos_2_to_its_end() -> None:
    """PUBREC comes to `_handle_pubrec`, PUBCOMP to `_do_on_publish`; then `_out_messages` has it no more."""
    rig = Rig(V5)
    for _ in range(3):
        rig.client.publish("t", qos=2)
    rig.written()
    rig.told.events.clear()
    assert rig.read(b"\x50\x03\x03\xe8\x80") == 0  # refused: settled, without PUBREL
    assert (rig.written(), rig.told.events) == (b"", [("settled", 1000, 128)])
    assert rig.read(b"\x50\x02\x07\xd0") == 0
    assert rig.written() == b"\x62\x02\x07\xd0"
    assert rig.read(b"\x70\x02\x07\xd0") == 0
    assert ("settled", 2000, 0) in rig.told.events
    assert list(rig.client.unfinished) == [3000]  # type: ignore[call-overload]  # a Container that is a dict


def test_one_packet_is_read_by_one_call() -> None:
    """However long it is, and whatever else is in flight: our splitter hands packets over one by one."""
    rig = Rig(V311)
    rig.client.publish("t", qos=2)
    large = Publish("t", bytes(3_000_000), qos=2, mid=7).encode(mqtt.ProtocolVersion.V311)
    assert rig.read(large) == 0
    assert rig.read(b"\x62\x02\x00\x07") == 0
    [arrived] = [event[1] for event in rig.told.events if event[0] == "arrived"]
    assert (len(arrived.payload), arrived.mid) == (3_000_000, 7)
    assert rig.written().endswith(b"\x50\x02\x00\x07\x70\x02\x00\x07")


def test_the_brokers_disconnect() -> None:
    """The packet is still in `_in_packet` when `on_disconnect` is called; `_sock` is gone afterwards."""
    rig = Rig(V5)
    rig.read(b"\xe0\x01\x8b")
    assert [event[:2] for event in rig.told.events if event[0] == "dismissed"] == [("dismissed", 139)]
    assert not rig.client.alive


def test_our_disconnect() -> None:
    """`_sock` is gone once DISCONNECT is written, and nothing is read or written any more."""
    rig = Rig(V5)
    rig.client.disconnect()
    assert rig.client.alive
    assert rig.written() == b"\xe0\x00"
    assert not rig.client.alive
    rig.wire.served = b"\x32\x06\0\1t\0\1\0"
    rig.client.loop_read()
    assert rig.written() == b""


def test_keep_alive() -> None:
    """`_send_pingreq` asks for a sign of life, and `_ping_t` tells whether it came; `_keepalive` follows the server."""
    rig = Rig(V311)
    rig.client.keep_alive_as(10)
    assert rig.client.keepalive == 10
    assert rig.client.ping_answered()
    rig.client.ping()
    assert rig.written() == b"\xc0\x00"
    assert not rig.client.ping_answered()
    rig.read(b"\xd0\x00")
    assert rig.client.ping_answered()


def test_abandoned() -> None:
    """Without `_sock` paho reads and writes nothing, and tells nobody."""
    rig = Rig(V311)
    rig.client.publish("t", qos=2)
    rig.client.abandon()
    rig.told.events.clear()
    rig.wire.served = b"\xd0\x00"
    rig.client.loop_read()
    assert (rig.written(), rig.wire.served, rig.told.events) == (b"", b"\xd0\x00", [])


def test_the_websocket_framing_has_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """`_WebsocketWrapper` takes these arguments, and reads and writes what stands under `_socket`."""
    assert list(inspect.signature(paho._WebsocketWrapper.__init__).parameters) == [
        "self",
        "socket",
        "host",
        "port",
        "is_ssl",
        "path",
        "extra_headers",
    ]
    monkeypatch.setattr(paho._WebsocketWrapper, "_do_handshake", lambda self, headers: None)
    framing = WebsocketTransport(Wire(), host="h", port=1, path="mqtt", headers=None)  # type: ignore[arg-type]  # a stand-in
    wire = Wire()
    framing.run_over(wire)  # type: ignore[arg-type]  # a stand-in
    assert framing.send(b"\xc0\x00") == 2
    assert wire.sent[:2] == b"\x82\x82"  # a binary frame, masked
    wire.served = b"\x82\x02\xd0\x00"
    assert framing.recv(1) == b"\xd0"


def test_properties_keep_their_values_as_attributes() -> None:
    """Ours are copies of a blank object whose values are set past its checks: its `pack` writes them all the same."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    vars(properties).update(UserProperty=[("a", "b"), ("a", "c")], TopicAlias=7)
    assert properties.pack() == b"\x11\x23\x00\x07\x26\x00\x01a\x00\x01b\x26\x00\x01a\x00\x01c"  # type: ignore[no-untyped-call]  # paho's
    assert ReasonCode(PacketTypes.PUBREC, identifier=128).value == 128
