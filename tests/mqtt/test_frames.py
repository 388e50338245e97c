"""Our PUBLISH frames are, byte for byte, what paho would have sent, and say what they were given."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessageInfo

from halloween_host.mqtt import MqttCodeError, Properties, ProtocolVersion
from halloween_host.mqtt._frames import TopicBytes, disconnect_frame, encode_length, publish_frame, refuse_publish
from halloween_host.mqtt._options import MAX_PAYLOAD_BYTES
from halloween_host.mqtt._properties import read_length
from tests.mosquitto import Mosquitto
from tests.mqtt.backends import client_of, on_both
from tests.mqtt.packets import Publish, facts, mids, paho_properties, publishes, vbi
from tests.mqtt.parsers import Engine, Listening
from tests.mqtt.specification import Reader

V5 = ProtocolVersion.V5


def both(publish: Publish, properties: Properties | None, protocol: ProtocolVersion) -> tuple[bytes, bytes]:
    """The frame by us and by paho's own encoder."""
    ours = publish_frame(
        TopicBytes()[publish.topic],
        publish.payload,
        publish.qos,
        publish.retain,
        publish.mid,
        properties,
        v5=protocol is V5,
    )
    paho = Engine(protocol, Listening(), qos_1=())
    info = MQTTMessageInfo(publish.mid)
    topic, payload, qos = publish.topic.encode(), publish.payload, publish.qos
    paho._send_publish(publish.mid, topic, payload, qos, publish.retain, info=info, properties=properties)
    return ours, paho.wire.sent


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(ProtocolVersion)).flatmap(lambda version: st.tuples(st.just(version), publishes(version))))
def test_a_frame_is_what_paho_would_have_sent(case: tuple[ProtocolVersion, Publish]) -> None:
    """Any topic, payload, QoS, RETAIN, identifier and properties, in both versions of MQTT; the reader hears it so."""
    protocol, publish = case
    properties = paho_properties(publish.properties) if publish.properties else None
    ours, paho = both(publish, properties, protocol)
    assert ours == paho
    reader = Reader(protocol, aliases=0)
    assert list(reader.packets(ours)) == [ours]
    heard = reader.publish(ours)
    assert (heard.topic, heard.payload, heard.retain) == (publish.topic, publish.payload, publish.retain)
    assert (heard.qos, heard.mid) == (publish.qos, publish.mid if publish.qos else 0)
    assert heard.properties == facts(properties)


@pytest.mark.parametrize("length", [5, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 5_000_000])
@pytest.mark.parametrize("protocol", list(ProtocolVersion))
def test_every_length_of_a_length(protocol: ProtocolVersion, length: int) -> None:
    """A remaining length takes one byte to four; on either side of each step the frame is paho's."""
    publish = Publish("t", bytes(length - 3 - (protocol is V5)), mid=7)
    ours, paho = both(publish, None, protocol)
    assert ours == paho
    assert len(ours) == 1 + len(vbi(length)) + length


@on_both
async def test_a_packet_longer_than_mqtt_allows(mosquitto: Mosquitto) -> None:
    """Topic and properties count too (MQTT 3.1.1, section 2.2.3): it is refused, and the connection lives on."""
    async with client_of(mosquitto) as client:
        for qos in (0, 1, 2):
            with pytest.raises(MqttCodeError, match="at most 268,435,460 bytes a packet"):
                client.publish_nowait("t", bytes(MAX_PAYLOAD_BYTES), qos)
        await client.publish("t", "still there", qos=1)


@given(st.integers(0, 268_435_455))
def test_lengths_make_the_round_trip(value: int) -> None:
    """`encode_length` writes what section 1.5.5 says, in as few bytes as it allows, and `read_length` reads it."""
    data = encode_length(value)
    assert data == vbi(value)
    assert read_length(b"\xff" + data + b"\xff", 1, len(data) + 1, minimal=True) == (value, len(data) + 1)
    for end in range(1, len(data)):
        assert read_length(data, 0, end, minimal=True)[0] == -1


def test_topics_are_checked_and_encoded_once() -> None:
    """A wrong one raises at each look-up; however many there are, memory is bounded."""
    topics = TopicBytes()
    for _ in range(2):
        for wrong in ("", "a/#", "a\0", "\ud800", "x" * 65_536):
            with pytest.raises(ValueError, match="topic"):
                topics[wrong]
    assert topics["größe"] == b"\0\7gr\xc3\xb6\xc3\x9fe"
    assert topics["größe"] is topics["größe"]
    for number in range(10_000):
        topics[str(number)]
    assert len(topics) <= 4_096


@given(mids, st.integers(0, 255))
def test_short_frames(mid: int, code: int) -> None:
    """A refusal and a DISCONNECT say their reason code (MQTT 5, sections 3.4.2.1 and 3.14.2.1)."""
    assert refuse_publish(mid, code) == b"\x40\3" + bytes([mid >> 8, mid & 255, code])
    assert disconnect_frame(code) == b"\xe0\1" + bytes([code])
