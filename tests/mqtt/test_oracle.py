"""Our splitter hears what paho's parser hears, acknowledges what it acknowledges and refuses what it refuses, wherever a stream is cut.

Where paho takes what the specification forbids, or the other way round, the specification is right, and its section is named.
`just fuzz` runs the same for as long as one likes.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import attrs
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from halloween_host.mqtt import ProtocolVersion
from tests.mqtt.packets import Publish, cuts, spoilt_streams, streams
from tests.mqtt.parsers import Ours, Paho, Specified
from tests.mqtt.specification import Heard

V311, V5 = ProtocolVersion.V311, ProtocolVersion.V5
protocols = st.sampled_from([V311, V5])

#: paho 2.1 reads properties beyond the packet's end; of a spoilt stream only what 2.2 says is compared.
PAHO_CHECKS: Final = not version("paho-mqtt").startswith("2.1.")

#: Sections whose breach paho does not see, or not before the packet is whole (`unfinished`).
LENIENT: Final = {
    "1.2": "a property's value may go on beyond the properties' end",
    "1.5.4, topic": "a NUL in a topic; bytes that are no UTF-8 in one of QoS 2",
    "1.5.5": "a length with more bytes than it needs",
    "2.1.2": "PINGREQ of a server is answered",
    "2.1.3": "flags of a packet that has none",
    "2.2.1": "packet identifier 0",
    "3.3.1.1": "DUP at QoS 0",
    "3.3.2.1": "wildcards in a topic, or no topic at all",
    "3.3.2.3.4": "topic aliases that were never offered",
    "3.3.2.3.5": "a response topic that is none",
    "3.4": "bytes after a PUBACK's properties",
}


@st.composite
def cut_streams(draw: st.DrawFn) -> tuple[ProtocolVersion, list[Publish | bytes], list[bytes]]:
    protocol = draw(protocols)
    packets = draw(streams(protocol))
    data = b"".join(each.encode(protocol) if isinstance(each, Publish) else each for each in packets)
    return protocol, packets, draw(cuts(data))


@st.composite
def cut_spoilt_streams(draw: st.DrawFn) -> tuple[ProtocolVersion, list[bytes]]:
    protocol = draw(protocols)
    return protocol, draw(cuts(draw(spoilt_streams(protocol))))


def as_paho(heard: list[Heard], theirs: list[Heard]) -> list[Heard]:
    """What was heard, with an empty topic where paho leaves the topic alias to its caller (section 3.3.2.3.4)."""
    return [
        attrs.evolve(each, topic="") if index < len(theirs) and not theirs[index].topic else each
        for index, each in enumerate(heard)
    ]


def hear_alike(case: tuple[ProtocolVersion, list[Publish | bytes], list[bytes]]) -> None:
    """All three read a stream without fault alike."""
    protocol, _packets, pieces = case
    ours, theirs = Ours(protocol).feed(pieces), Paho(protocol).feed(pieces)
    specified = Specified(protocol).feed(b"".join(pieces))
    assert ours.heard == specified.heard
    assert as_paho(ours.heard, theirs.heard) == theirs.heard
    assert ours.sent == specified.sent == theirs.sent
    assert ours.settled == specified.settled == theirs.settled
    assert ours.told == specified.told == theirs.told
    assert (ours.refused is None) == (specified.refused is None) == (theirs.refused is None)


def refuse_alike(case: tuple[ProtocolVersion, list[bytes]]) -> None:
    """Ours reads what the specification allows, no more and no less; paho does, but for `LENIENT`."""
    protocol, pieces = case
    ours = Ours(protocol).feed(pieces)
    specified = Specified(protocol).feed(b"".join(pieces))
    assert ours.heard == specified.heard
    assert ours.sent == specified.sent
    assert ours.settled == specified.settled
    assert ours.told == specified.told
    assert (ours.refused is None) == (specified.refused is None), (ours.why, specified.why)
    if specified.refused is not None:
        assert ours.refused is not None
        assert ours.refused <= specified.refused, (ours.why, specified.why)
    if not PAHO_CHECKS:
        return
    theirs = Paho(protocol).feed(pieces)
    heard = as_paho(specified.heard, theirs.heard)
    assert theirs.heard[: len(heard)] == heard
    overlooked = {section for section in specified.sections if section in LENIENT or section.endswith("unfinished")}
    if not specified.sections or overlooked < specified.sections:
        assert theirs.heard == heard
        assert (theirs.refused is None) == (specified.refused is None), specified.why


_few = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def example_of(*packets: Publish | bytes) -> tuple[ProtocolVersion, list[Publish | bytes], list[bytes]]:
    """A stream of MQTT 5, whole."""
    return V5, list(packets), [b"".join(each.encode(V5) if isinstance(each, Publish) else each for each in packets)]


@_few
@example(example_of(Publish("t", properties=((35, 1),)), Publish("", b"x", 2, properties=((35, 1),)), b"\x62\2\0\1"))
@given(cut_streams())
def test_a_stream_is_heard_as_paho_hears_it(
    case: tuple[ProtocolVersion, list[Publish | bytes], list[bytes]],
) -> None:
    """Messages, acknowledgements, answers and ends are the same, cut anywhere, in both versions of MQTT."""
    hear_alike(case)


@_few
@given(cut_spoilt_streams())
def test_a_spoilt_stream_is_refused_where_the_specification_refuses_it(
    case: tuple[ProtocolVersion, list[bytes]],
) -> None:
    """With the reason code it names; what came before is heard, nothing after it is, and nothing else is ever raised."""
    refuse_alike(case)
