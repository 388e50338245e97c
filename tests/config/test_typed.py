"""A typed config is the declared class, or all its problems at once, each at its place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from halloween_host.config import LoadedConfig, load_config, structure_config
from halloween_host.errors import InvalidConfig
from tests.config.conftest import Read
from tests.config.models import FoggerConfig, Lamp, Needy

YAML_PROBLEMS = """\
duration_ms: 5s
lable: x

lamps:
  - pin: 3
    color: red
  - colour: green
levels:
  fog: high
lid:
  pin: 4
  colour: blue
label: 1234
"""

JSON_PROBLEMS = """\
{
\t"duration_ms": -1,
\t"lamps": {"pin": 1},
\t"lid": null, "levels": {"a": true, "b": 1}
}
"""


def told(loaded: LoadedConfig, settings_class: type, folder: Path) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        structure_config(loaded, settings_class)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_typed_config(read: Read) -> None:
    """What fits becomes the instance, defaults filled in."""
    loaded = read("duration_ms: '750'\nlid: {pin: 4}\nlamps: [{pin: 1, colour: green}]\nlevels: {a: 1}\n")
    assert structure_config(loaded, FoggerConfig) == FoggerConfig(750, "", [Lamp(1, "green")], {"a": 1.0}, Lamp(4))
    assert structure_config(LoadedConfig({}), FoggerConfig) == FoggerConfig()


def test_every_problem_of_a_yaml_file(read: Read, tmp_path: Path) -> None:
    """All at once in the file's order: an unknown key at the key, a wrong value at the value, a missing key at its mapping."""
    assert told(read(YAML_PROBLEMS), FoggerConfig, tmp_path) == [
        "config.yaml:1:14: $.duration_ms: expected whole number, got '5s'",
        "config.yaml:2:1: $.lable: expected one of the keys 'duration_ms', 'label', 'lamps', 'levels', 'lid', got 'lable'"
        "; did you mean 'label'?",
        "config.yaml:6:5: $.lamps[0].color: expected one of the keys 'pin', 'colour', got 'color'; did you mean 'colour'?",
        "config.yaml:7:5: $.lamps[1].pin: expected whole number, got nothing: the key is missing",
        "config.yaml:9:8: $.levels.fog: expected number, got 'high'",
        "config.yaml:12:11: $.lid.colour: expected one of 'red', 'green', got 'blue'",
        'config.yaml:13:8: $.label: expected text, got 1234; put it in quotes: "1234"',
    ]


def test_every_problem_of_a_json_file(read: Read, tmp_path: Path) -> None:
    """Likewise; columns count tabs as one character. A class's own validators speak once every value has its type."""
    assert told(read(JSON_PROBLEMS, "config.json"), FoggerConfig, tmp_path) == [
        "config.json:3:11: $.lamps: expected a list, each an object with 'pin', 'colour', got an object",
        "config.json:4:31: $.levels.a: expected number, got true",
    ]
    assert told(read('{\n"duration_ms": -1\n}', "config.json"), FoggerConfig, tmp_path) == [
        "config.json:2:16: $.duration_ms: expected a value that FoggerConfig takes, got -1: 'duration_ms' must be > 0: -1",
    ]


def test_a_missing_key_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error names the file that would have to be written."""
    assert told(load_config(tmp_path, {}), Needy, tmp_path) == [
        "config.json: no config file; $.pin: expected whole number, got nothing: the key is missing"
    ]


def test_a_missing_key_of_a_blank_file(read: Read, tmp_path: Path) -> None:
    """There is no place in it to point at."""
    assert told(read("# soon\n"), Needy, tmp_path) == [
        "config.yaml: $.pin: expected whole number, got nothing: the key is missing"
    ]


def test_what_the_environment_filled_in_is_not_shown(read: Read, tmp_path: Path) -> None:
    """It may be a secret, and errors go out on MQTT; the text of the file stands there instead."""
    loaded = read('duration_ms: "${TOKEN}"\nlid: {pin: 1, colour: "${TOKEN}"}\n', TOKEN="s3cret")
    assert told(loaded, FoggerConfig, tmp_path) == [
        "config.yaml:1:14: $.duration_ms: expected whole number, got what the environment puts into '${TOKEN}'",
        "config.yaml:2:23: $.lid.colour: expected one of 'red', 'green', got what the environment puts into '${TOKEN}'",
    ]
    assert structure_config(read("duration_ms: ${MS}\n", MS="750"), FoggerConfig).duration_ms == 750
