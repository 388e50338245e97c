"""Any text at all is a dict or a ConfigError with a line; what JSON can say is read as it was written."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given

from halloween_host.config import LoadedConfig, structure_config
from halloween_host.errors import ConfigError, InvalidConfig
from tests.config.conftest import load_text
from tests.config.models import FoggerConfig
from tests.strategies import config_texts, json_values, utf8_text


def load_or_error(content: bytes, name: str) -> LoadedConfig | ConfigError:
    try:
        return load_text(content, name)
    except ConfigError as error:
        return error


@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
@given(content=config_texts.map(str.encode))
def test_any_text_is_a_dict_or_an_error_with_a_line(name: str, content: bytes) -> None:
    """Nothing else leaves `load_config`, and the dict holds plain values alone."""
    loaded = load_or_error(content, name)
    if isinstance(loaded, LoadedConfig):
        assert isinstance(loaded.values, dict)
        assert_plain(loaded.values)
    else:
        assert loaded.line is not None
        assert 1 <= loaded.line <= len(content.splitlines()) + 2
        assert loaded.column is not None
        assert len(str(loaded).splitlines()) == 1


def assert_plain(value: object) -> None:
    assert type(value) in (dict, list, str, int, float, bool, type(None))
    if isinstance(value, dict):
        for key, each in value.items():
            assert_plain(key)
            assert_plain(each)
    if isinstance(value, list):
        for each in value:
            assert_plain(each)


@given(json_values.map(lambda value: {"key": value}))
def test_json_reads_as_it_was_written(values: dict[str, Any]) -> None:
    """Every JSON object is a config, and every value in it has a place."""
    loaded = load_text(json.dumps(values, indent=2).encode(), "config.json")
    if "${" not in str(values):
        assert repr(loaded.values) == repr(values)
    assert_places(loaded, loaded.values, ())


def assert_places(loaded: LoadedConfig, value: object, steps: tuple[str | int, ...]) -> None:
    assert steps in loaded._document.value_places
    if isinstance(value, dict):
        for key, each in value.items():
            assert (*steps, key) in loaded._document.key_places
            assert_places(loaded, each, (*steps, key))
    if isinstance(value, list):
        for index, each in enumerate(value):
            assert_places(loaded, each, (*steps, index))


@given(utf8_text.filter(lambda text: text.isprintable()))
def test_yaml_text_in_quotes_is_that_text(text: str) -> None:
    """JSON's quoted text is YAML's too."""
    loaded = load_text(b"key: " + json.dumps(text, ensure_ascii=False).encode() + b"\n", "config.yaml")
    assert "${HOME}" in text or loaded.values == {"key": text}


@given(config_texts.map(str.encode))
def test_any_config_fits_a_class_or_is_invalid(content: bytes) -> None:
    """Whatever was read, `structure_config` gives the class or an InvalidConfig."""
    with contextlib.suppress(ConfigError, InvalidConfig):
        assert isinstance(structure_config(load_text(content, "config.yaml"), FoggerConfig), FoggerConfig)
