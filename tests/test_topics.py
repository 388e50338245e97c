"""Topics: what is made is what is read, and a part that cannot stand in a topic is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host import topics
from halloween_host.errors import TopicError
from halloween_host.topics import PropTopic, parse_topic
from tests.strategies import prop_ids, topic_keys, utf8_text


@given(prop_ids, topic_keys)
def test_topics_that_are_made_are_read(prop_id: str, key: str) -> None:
    """Every topic of a prop is taken apart into what it was made of."""
    assert topics.check_prop_id(prop_id) == prop_id
    assert topics.check_key(key) == key
    assert parse_topic(topics.command(prop_id)) == PropTopic(prop_id, "cmd")
    assert parse_topic(topics.state(prop_id)) == PropTopic(prop_id, "state")
    assert parse_topic(topics.telemetry(prop_id, key)) == PropTopic(prop_id, "telemetry", key)
    assert parse_topic(topics.status(prop_id, key)) == PropTopic(prop_id, "status", key)
    assert parse_topic(topics.availability(prop_id)) == PropTopic(prop_id, "status", "availability")
    assert parse_topic(topics.error(prop_id)) == PropTopic(prop_id, "status", "error")


@given(
    utf8_text | st.lists(st.sampled_from(["halloween", "cmd", "status", "telemetry", "state", "a", ""])).map("/".join)
)
def test_any_text_is_a_prop_topic_or_none(topic: str) -> None:
    """Nothing raises, and what is read stands in the topic."""
    read = parse_topic(topic)
    assert read is None or (topic.startswith(f"halloween/{read.prop_id}/") and topic.endswith(read.key))


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("halloween/fogger/cmd", PropTopic("fogger", "cmd")),
        ("halloween/fogger/cmd/more", PropTopic("fogger", "other", "more")),
        ("halloween/fogger/telemetry/a/b", PropTopic("fogger", "telemetry", "a/b")),
        ("halloween/fogger/telemetry", PropTopic("fogger", "other")),
        ("halloween/fogger/telemetry/", PropTopic("fogger", "other")),
        ("halloween/fogger/status//", PropTopic("fogger", "status", "/")),
        ("halloween/worker_host/uptime", PropTopic("worker_host", "other")),
        ("halloween//cmd", None),
        ("halloween/fogger", None),
        ("halloween", None),
        ("", None),
        ("/halloween/fogger/cmd", None),
        ("Halloween/fogger/cmd", None),
    ],
)
def test_topics_with_odd_levels(topic: str, expected: PropTopic | None) -> None:
    """What is not below ``halloween/<prop>/`` is None, and unknown levels are `other`."""
    assert parse_topic(topic) == expected


@pytest.mark.parametrize("prop_id", ["", "worker_host", "a/b", "a+", "#", "a\0", "a\n", "\u200b", "\ud800"])
def test_names_that_are_no_prop_id(prop_id: str) -> None:
    """Each is refused with its reason."""
    with pytest.raises(TopicError, match=r"is |prop id"):
        topics.check_prop_id(prop_id)


@pytest.mark.parametrize("key", ["", "a+", "#", "a\0b", "\ud800", "x" * 70_000])
def test_keys_that_cannot_end_a_topic(key: str) -> None:
    """Wildcards, NUL, half characters and too much text are refused, in a short line."""
    with pytest.raises(TopicError) as caught:
        topics.check_key(key)
    assert len(str(caught.value)) < 200


@given(utf8_text)
def test_a_nonce_is_one_level(client_id: str) -> None:
    """Whatever a client id holds, its nonce's topic has four levels and no wildcard."""
    topic = topics.nonce(client_id)
    assert topic.count("/") == 3
    assert not set(topic) & set("+#\0")
