"""Topics match filters as paho's own matcher says, and nothing else gets past their constructors."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from halloween_host.mqtt import Topic, Wildcard

words = st.sampled_from(["a", "b", "", "$SYS", "$x", "é", "cmd"])
topics = st.lists(words, min_size=1, max_size=5).map("/".join).filter(bool)
filters = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(words | st.just("+"), max_size=5),
    st.sampled_from([[], ["#"], ["+"]]),
).filter(bool)


@given(topics, filters)
@example("$SYS/uptime", "#")
@example("$SYS/uptime", "+/uptime")
@example("$SYS/uptime", "$SYS/#")
@example("a", "a/#")
@example("a/", "a/+")
@example("/", "+/+")
def test_paho_agrees_on_every_match(topic: str, topic_filter: str) -> None:
    """Our matcher and paho's give one answer."""
    if topic_filter.startswith("$share"):
        return
    assert Topic(topic).matches(topic_filter) == topic_matches_sub(topic_filter, topic)
    assert Topic(topic).matches(Wildcard(topic_filter)) == Topic(topic).matches(topic_filter)


@given(topics, filters, st.sampled_from(["g", "group 1", "$"]))
def test_a_shared_subscription_matches_like_its_filter(topic: str, topic_filter: str, group: str) -> None:
    """``$share/<group>/`` says who hears it, not what is heard (MQTT 5, section 4.8.2)."""
    assert Topic(topic).matches(f"$share/{group}/{topic_filter}") == Topic(topic).matches(topic_filter)


@given(st.text(max_size=40))
def test_any_text_is_a_topic_or_a_value_error(text: str) -> None:
    """A topic is a filter too and matches itself."""
    try:
        topic = Topic(text)
    except ValueError:
        assert not text or any(char in text for char in "+#\0") or not text.isprintable()
        return
    if not text.startswith("$share"):
        assert topic.matches(Wildcard(text))
    assert topic == topic.value == str(topic) == text
    assert hash(topic) == hash(text)


@given(st.text(alphabet="a/+#$", max_size=8))
def test_any_text_is_a_filter_or_a_value_error(text: str) -> None:
    """What a Wildcard accepts, a Topic can be matched with."""
    try:
        Wildcard(text)
    except ValueError:
        with pytest.raises(ValueError, match="topic filter"):
            Topic("a").matches(text)
        return
    assert Topic("a").matches(text) in (True, False)


@pytest.mark.parametrize(
    "wrong", ["", "a+", "+a/b", "#/a", "a/#/b", "a#", "$share/g", "$share//a", "$share/+/a", "$share/g/", "a\0"]
)
def test_filters_that_no_broker_takes(wrong: str) -> None:
    """Wildcards fill a level (MQTT 3.1.1, section 4.7.1), groups have a name (MQTT 5, section 4.8.2)."""
    with pytest.raises(ValueError, match=r"topic filter|shared subscription"):
        Wildcard(wrong)
