"""What the specification forbids a broker ends the connection: under MQTT 5 by DISCONNECT with its reason code, under 3.1.1 without a word.

Each of these packets is one that paho takes without a word, or refuses without saying why, unless noted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halloween_host.mqtt import Client, Message, MqttError, PacketTypes, Properties, ProtocolVersion
from tests.mqtt.backends import CONNACK, CONNACK_5, DISCONNECT, on_both, scripted_broker, until_closed
from tests.mqtt.packets import ALIASES, cuts, spoilt_streams
from tests.mqtt.parsers import Specified

V311, V5 = ProtocolVersion.V311, ProtocolVersion.V5

BEFORE = b"\x30\x0a\x00\x06before\x00!"
AFTER = b"\x30\x09\x00\x05after\x00!"


def offering(aliases: int, largest: int | None = None) -> Properties:
    """A CONNECT's properties."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.TopicAliasMaximum = aliases
    if largest is not None:
        properties.MaximumPacketSize = largest
    return properties


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        pytest.param(b"\x36\x06\0\1t\0\1\0", 129, id="QoS 3 (3.3.1.2)"),
        pytest.param(b"\x38\x04\0\1t\0", 129, id="DUP at QoS 0 (3.3.1.1)"),
        pytest.param(b"\x32\x06\0\1t\0\0\0", 130, id="packet identifier 0 (2.2.1)"),
        pytest.param(b"\x30\x04\0\1\xff\0", 129, id="topic that is no UTF-8 (1.5.4)"),
        pytest.param(b"\x30\x04\0\1\0\0", 129, id="NUL in a topic (1.5.4)"),
        pytest.param(b"\x30\x04\0\1#\0", 129, id="wildcard in a topic (3.3.2.1)"),
        pytest.param(b"\x30\x03\0\0\0", 130, id="neither topic nor alias (3.3.2.1)"),
        pytest.param(b"\x30\x06\0\0\3\x23\0\1", 130, id="an alias that stands for nothing (3.3.2.3.4)"),
        pytest.param(b"\x30\x07\0\1t\3\x23\0\0", 148, id="alias 0 (3.3.2.3.4)"),
        pytest.param(b"\x30\x07\0\1t\3\x23\0\6", 148, id="alias above the maximum (3.3.2.3.4)"),
        pytest.param(b"\x30\x0a\0\1t\6\x23\0\1\x23\0\1", 130, id="a property twice (3.3.2.3.4)"),
        pytest.param(b"\x30\x09\0\1t\5\x11\0\0\0\1", 129, id="a property of another packet (2.2.2.2)"),
        pytest.param(b"\x30\x06\0\1t\2\x0b\0", 130, id="subscription identifier 0 (3.3.2.3.8)"),
        pytest.param(b"\x30\x06\0\1t\2\1\2", 130, id="payload format 2 (3.3.2.3.2)"),
        pytest.param(b"\x30\x08\0\1t\4\x08\0\1+", 130, id="wildcard in a response topic (3.3.2.3.5)"),
        pytest.param(b"\x30\x08\0\1t\4\3\0\1\0", 129, id="NUL in a property (1.5.4)"),
        pytest.param(b"\x30\x08\0\1t\4\3\0\1\xff", 129, id="a property that is no UTF-8 (1.5.4)"),
        pytest.param(b"\x30\x0c\0\1t\5\x09\0\5abcde", 129, id="a property longer than all of them (2.2.2.1)"),
        pytest.param(b"\x30\x05\0\1t\5\1", 129, id="properties longer than the packet (1.2)"),
        pytest.param(b"\x30\x04\0\x09t\0", 129, id="topic longer than the packet (1.2)"),
        pytest.param(b"\x30\xff\xff\xff\xff\1", 129, id="a length of five bytes (1.5.5)"),
        pytest.param(b"\x30\x84\0\0\1t\0", 129, id="a length with a byte too many (1.5.5)"),
        pytest.param(b"\x30\xe9\7\0\1t\0" + bytes(997), 149, id="larger than we take (3.1.2.11.4)"),
        pytest.param(b"\x41\2\0\1", 129, id="flags of a PUBACK (2.1.3)"),
        pytest.param(b"\x40\3\0\1\1", 129, id="a PUBACK's reason that is none (3.4.2.1)"),
        pytest.param(b"\xc0\0", 129, id="PINGREQ of a server (2.1.2)"),
    ],
)
@on_both
async def test_mqtt_5_says_why(packet: bytes, code: int) -> None:
    """What came before is heard, nothing after it, and the last thing we send is DISCONNECT with the reason code."""
    talk = Talk(V5, [BEFORE + packet + AFTER])
    limits = offering(ALIASES, largest=1_000)
    error = await talk.listen(properties=limits, fast_path=True)
    assert re.search(rf"lost: the broker broke the protocol: .*reason code {code}", str(error))
    assert [str(message.topic) for message in talk.heard] == ["before"]
    assert talk.sent == b"\xe0\x01" + bytes([code])


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize("packet", [b"\x36\x05\0\1t\0\1", b"\x30\2\0\0", b"\x30\3\0\1\xff", b"\x30\3\0\1#"])
@on_both
async def test_mqtt_3_closes_without_a_word(packet: bytes, fast_path: bool) -> None:
    """MQTT 3.1.1, section 4.8: a DISCONNECT there is a good-bye, and would call our will off (section 3.14.4)."""
    talk = Talk(V311, [b"\x30\x09\x00\x06before!" + packet + b"\x30\x08\x00\x05after!"])
    error = await talk.listen(fast_path=fast_path)
    assert "lost: the broker broke the protocol" in str(error)
    assert [str(message.topic) for message in talk.heard] == ["before"]
    assert talk.sent == b""


@pytest.mark.parametrize("fast_path", [True, False])
@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x90\x10\0\1\x0c\x1f\0\3why\x1f\0\3why\0", id="SUBACK with a property twice"),
        pytest.param(b"\x90\x09\0\1\5\2\0\0\0\1\0", id="SUBACK with another's property"),
        pytest.param(b"\x90\4\0\1\0\x77", id="SUBACK with a reason that is none"),
        pytest.param(b"\x50\3\0\1\x77", id="PUBREC with a reason that is none"),
        pytest.param(b"\x20\6\0\0\3\x21\0\0", id="CONNACK with a receive maximum of 0"),
    ],
)
@on_both
async def test_what_paho_cannot_read(packet: bytes, fast_path: bool) -> None:
    """Of the packets that are left to paho too, nothing but an MqttError comes out (paho 2.1 raises errors of its own)."""
    talk = Talk(V5, [packet])
    assert "broke the protocol" in str(await talk.listen(fast_path=fast_path))


@pytest.mark.parametrize("late", [b"\x32\x06\0\1t\0\1\0", b"\x62\2\0\1", b"\x36\6\0\1t\0\1\0"])
@on_both
async def test_nothing_follows_our_disconnect(late: bytes) -> None:
    """Section 3.14.4: what the broker sends after our DISCONNECT is neither acknowledged nor complained of."""
    sent: list[bytes] = []
    done = anyio.Event()

    async def answer_late(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(CONNACK_5)
        sent.append(await until_closed(stream))
        await stream.send(late)
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            await stream.send_eof()
            while True:
                sent.append(await stream.receive())
        done.set()

    async with scripted_broker(answer_late) as port:
        async with Client("127.0.0.1", port, protocol=V5, fast_path=True):
            pass
        await done.wait()
    assert b"".join(sent) == DISCONNECT


class Talk:
    """A connection on which the broker sends `pieces` once we are in; what is `heard` of it, and what we `sent` after that."""

    def __init__(self, protocol: ProtocolVersion, pieces: Sequence[bytes]) -> None:
        self.heard: list[Message] = []
        self.sent = b""
        self._protocol = protocol
        self._pieces = pieces
        self._done = anyio.Event()

    async def listen(self, **options: Any) -> MqttError:
        """The error by which it ends; nothing but an MqttError ever does."""
        async with scripted_broker(self._speak) as port:
            try:
                async with Client("127.0.0.1", port, protocol=self._protocol, **options) as client:
                    await client.publish("go", "on")
                    async for message in client.messages:
                        self.heard.append(message)
            except MqttError as error:
                await self._done.wait()
                return error
        raise AssertionError("messages end by an error")

    async def _speak(self, stream: SocketStream) -> None:
        try:
            await stream.receive()
            await stream.send(CONNACK_5 if self._protocol is V5 else CONNACK)
            await stream.receive()
            with suppress(
                anyio.BrokenResourceError, OSError
            ):  # closed in the middle: what it said before can still be read
                for piece in self._pieces:
                    await stream.send(piece)
                await stream.send_eof()
            while True:
                self.sent += await stream.receive()
        finally:
            self._done.set()


@st.composite
def cases(draw: st.DrawFn) -> tuple[ProtocolVersion, list[bytes]]:
    protocol = draw(st.sampled_from([V311, V5]))
    return protocol, draw(cuts(draw(spoilt_streams(protocol))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_whatever_a_broker_sends(case: tuple[ProtocolVersion, list[bytes]]) -> None:
    """A client on its real socket hears what the specification allows, and its DISCONNECT has one of the codes that it asks for."""
    protocol, pieces = case
    specified = Specified(protocol).feed(b"".join(pieces))
    talk = Talk(protocol, pieces)

    async def scenario() -> None:
        with anyio.fail_after(10):
            await talk.listen(properties=offering(ALIASES) if protocol is V5 else None, fast_path=True)

    anyio.run(scenario, backend="trio")
    assert [(each.topic, each.payload) for each in talk.heard] == [
        (each.topic, each.payload) for each in specified.heard
    ]
    complained = {bytes([0xE0, 1, code]) for code in specified.refused or ()} if protocol is V5 else set()
    if complained:
        assert talk.sent[-3:] in complained
    else:
        assert talk.sent[-3:-1] != b"\xe0\x01"
