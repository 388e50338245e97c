"""Which file is read, what its values are, and how the environment fills them in."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from halloween_host.config import LoadedConfig, load_config
from tests.config.conftest import Read, Refused


def test_no_file_is_an_empty_config(tmp_path: Path) -> None:
    """Without a warning."""
    assert load_config(tmp_path, {}) == LoadedConfig({})


@pytest.mark.parametrize("name", ["config.json", "config.yaml", "config.yml"])
def test_the_three_names(read: Read, tmp_path: Path, name: str) -> None:
    """All of them take JSON's form; the path is the file's."""
    loaded = read('{"pin": 4, "on": true}', name)
    assert loaded == LoadedConfig({"pin": 4, "on": True}, tmp_path / name)


def test_a_builtins_config(tmp_path: Path) -> None:
    """It is called as the built-in is."""
    (tmp_path / "heartbeat.yaml").write_text("tick_interval: 5\n")
    (tmp_path / "config.yaml").write_text("other: 1\n")
    assert load_config(tmp_path, {}, "heartbeat").values == {"tick_interval": 5}


def test_several_files_at_once(read: Read, tmp_path: Path) -> None:
    """JSON before yaml before yml; a warning for each that is not used names both."""
    (tmp_path / "config.yml").write_text("a: 3\n")
    assert read("a: 2\n").values == {"a": 2}
    loaded = read('{"a": 1}', "config.json")
    assert loaded.values == {"a": 1}
    assert loaded.warnings == (
        f"config.json is used, config.yaml beside it is not: {tmp_path}/config.yaml",
        f"config.json is used, config.yml beside it is not: {tmp_path}/config.yml",
    )


@pytest.mark.parametrize("content", ["", "  \n", "# nothing yet\n", "\ufeff", "---\n"])
def test_a_blank_file_is_an_empty_config(read: Read, content: str) -> None:
    """Somebody has not written it yet: nothing to complain about."""
    loaded = read(content)
    assert (loaded.values, loaded.warnings) == ({}, ())


def test_fresh_copies(read: Read) -> None:
    """What one instance does to its config, the next never sees."""
    loaded = read("a: {b: [1]}\n")
    loaded.fresh()["a"]["b"].append(2)
    assert loaded.fresh() == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", 1000),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2025-10-31", "2025-10-31"),
        ("2025-10-31T20:00:00Z", "2025-10-31T20:00:00Z"),
        ("22:30", "22:30"),
        ("=", "="),
        ('"5"', "5"),
        ('"\\ud83c\\udf83"', "🎃"),
        ("!!str 5", "5"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("[1, [2]]", [1, [2]]),
        ("{a: 1}", {"a": 1}),
        ("{1: a, true: b}", None),
    ],
)
def test_yaml_values(read: Read, refused: Refused, text: str, value: object) -> None:
    """YAML 1.2: dates and times stay text, `yes` and `on` too, 017 is seventeen."""
    if text.startswith("{1"):
        assert "the key True stands here a second time" in refused(f"key: {text}\n")
    else:
        assert repr(read(f"key: {text}\n").values) == repr({"key": value})


def test_not_a_number_is_read(read: Read) -> None:
    """YAML's `.nan` is a float like any other."""
    assert math.isnan(read("a: .nan\n").values["a"])


def test_yaml_1_1_is_read_as_1_2(read: Read) -> None:
    """The directive changes no value."""
    assert read("%YAML 1.1\n---\na: yes\nb: 017\nc: 1:30\n").values == {"a": "yes", "b": 17, "c": "1:30"}


def test_keys_that_are_numbers(read: Read) -> None:
    """They stay what they are."""
    assert repr(read("17: relay\ntrue: x\n").values) == "{17: 'relay', True: 'x'}"


def test_aliases_are_copies(read: Read) -> None:
    """A change at one place stays there; merge keys work, what stands in the mapping itself wins."""
    values = read(
        "base: &base {a: 1, b: [2]}\nsame: *base\nmore:\n  a: 5\n  <<: *base\nboth:\n  <<: [*base, {c: 3, a: 9}]\n"
    ).values
    assert values["more"] == {"a": 5, "b": [2]}
    assert values["both"] == {"a": 1, "b": [2], "c": 3}
    values["same"]["b"].append(3)
    assert values["base"] == {"a": 1, "b": [2]}


def test_an_anchor_may_be_used_anew(read: Read) -> None:
    """Without a warning of ruamel's on the terminal."""
    assert read("a: &x 1\nb: &x 2\nc: *x\n").values == {"a": 1, "b": 2, "c": 2}


def test_bom_and_tabs_in_json(read: Read) -> None:
    """A byte order mark is no part of the text, and JSON may be indented with tabs."""
    loaded = read(b'\xef\xbb\xbf{\r\n\t"a": 1,\r\n\t"b": "x"\r\n}', "config.json")
    assert loaded.values == {"a": 1, "b": "x"}
    assert loaded._document.key_places["b",] == (3, 2)


def test_bom_in_yaml(read: Read) -> None:
    """Nor there."""
    assert read(b"\xef\xbb\xbfa: 1\n").values == {"a": 1}


def test_the_environment_fills_values_in(read: Read) -> None:
    """`${NAME}` in text values, anywhere in them and at any depth; keys and what came from the environment stay as they are."""
    loaded = read(
        "a: ${HOST}\nb: [\"tcp://${HOST}:${PORT}\"]\n${HOST}: 1\nc: {d: $HOST, e: '${}', f: '${1A}'}\n",
        HOST="${PORT}",
        PORT="1883",
    )
    assert loaded.values == {
        "a": "${PORT}",
        "b": ["tcp://${PORT}:1883"],
        "${HOST}": 1,
        "c": {"d": "$HOST", "e": "${}", "f": "${1A}"},
    }
    assert loaded.warnings == ()


def test_a_missing_variable_is_a_warning(read: Read, tmp_path: Path) -> None:
    """It names the place, the variable and perhaps the one that was meant; the text stays."""
    loaded = read('{"a": 1,\n "b": ["x", "${LAMP_PIM} ${LAMP_PIM} ${OTHER}"]}', "config.json", LAMP_PIN="4", OTHER="o")
    assert loaded.values["b"] == ["x", "${LAMP_PIM} ${LAMP_PIM} o"]
    assert loaded.warnings == (
        f"{tmp_path}/config.json:2:13: ${{LAMP_PIM}}: no such environment variable, the text stays; did you mean 'LAMP_PIN'?",
    )
