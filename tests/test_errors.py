"""Errors: one root, facts as attributes, texts made from them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from halloween_host import errors
from halloween_host.errors import (
    CommandError,
    ConfigError,
    InvalidConfig,
    InvalidSettings,
    LoadError,
    PayloadError,
    SettingsError,
    SourceError,
    SpawnError,
    StructureError,
    TopicError,
    did_you_mean,
)


def test_every_error_has_our_root() -> None:
    """`HalloweenHostError` catches all that we raise on purpose, and `__all__` is sorted and complete."""
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
    assert all(issubclass(each, errors.HalloweenHostError) for each in classes)
    assert {each.__name__ for each in classes} <= set(errors.__all__)
    assert sorted(errors.__all__) == errors.__all__


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TopicError("a/b", "is no prop id"), "'a/b' is no prop id"),
        (CommandError("no such action", action="fire"), "fire: no such action"),
        (CommandError("empty payload"), "empty payload"),
        (PayloadError(float("nan"), "no JSON"), "cannot send float: no JSON"),
        (StructureError((), "text", "5"), "expected text, got 5"),
        (StructureError(("a", 0, "b"), "text", "5", hint="; quote it"), "$.a[0].b: expected text, got 5; quote it"),
        (SettingsError("MQTT_PORT", "abc", "expected a number"), "MQTT_PORT='abc': expected a number"),
        (SettingsError("MQTT_PASSWORD", None, "no"), "MQTT_PASSWORD: no"),
        (SourceError(Path("a.py"), "broken"), "a.py: broken"),
        (SourceError(Path("a.py"), "broken", line=3), "a.py:3: broken"),
        (ConfigError(Path("c.json"), "broken", line=3, column=4), "c.json:3:4: broken"),
        (LoadError("lamp", Path("a.py"), "broken", line=1), "a.py:1: broken"),
        (SpawnError("lamp", "before start()"), "lamp: spawn() called before start()"),
    ],
)
def test_texts(error: Exception, text: str) -> None:
    """The text says where, what was expected and what came."""
    assert str(error).startswith(text)


def test_all_problems_stand_in_one_error() -> None:
    """One a line, each of them an attribute too."""
    problems = (ConfigError(Path("c.json"), "one", line=1), ConfigError(Path("c.json"), "two", line=2))
    assert str(InvalidConfig(Path("c.json"), problems)) == "c.json:1: one\nc.json:2: two"
    wrong = (SettingsError("A", "1", "one"), SettingsError("B", "2", "two"))
    assert str(InvalidSettings(wrong)) == "A='1': one\nB='2': two"
    assert InvalidSettings(wrong).problems == wrong


@pytest.mark.parametrize(
    ("word", "said"), [("foger", "; did you mean 'fogger'?"), ("coffin", "; did you mean 'coffin'?"), ("xyz", "")]
)
def test_did_you_mean(word: str, said: str) -> None:
    """The nearest known word, or nothing when none is near."""
    assert did_you_mean(word, ["fogger", "coffin"]) == said
