"""A file that cannot be used is an error with file, line and column, and with what to do where that is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from halloween_host.config import MAX_CONFIG_BYTES, load_config
from halloween_host.errors import ConfigError
from tests.config.conftest import Read, Refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "a: 1\n\tb: 2\n",
            r"config.yaml:2:1: broken YAML: found character '\t' that cannot start any token; this is a tab; indent with",
        ),
        ("lamp:\n\tpin: 4\n", r"config.yaml:2:1: broken YAML: found character '\t' that cannot start"),
        ("a: 1\nb: 2\na: 3\n", "config.yaml:3:1: the key 'a' stands here a second time (first on line 1)"),
        ("x:\n  a: 1\n  'a': 3\n", "config.yaml:3:3: the key 'a' stands here a second time (first on line 2)"),
        (
            "a: b: c\n",
            'config.yaml:1:5: broken YAML: mapping values are not allowed here; put text that holds ": " in quotes',
        ),
        (
            "a: [1, 2\n",
            "config.yaml:2:1: broken YAML: expected ',' or ']', but got '<stream end>' (it began on line 1); a bracket",
        ),
        (
            "a: 'x\n\n",
            "config.yaml:3:1: broken YAML: found unexpected end of stream (it began on line 1); a quote is not closed",
        ),
        ("a: 1\n  b: 2\n", "config.yaml:2:4: broken YAML: mapping values are not allowed here"),
        (
            "a: @x\n",
            "config.yaml:1:4: broken YAML: found character '@' that cannot start any token; put the text in quotes",
        ),
        ("a: *x\n", "config.yaml:1:4: broken YAML: found undefined alias 'x'; put text that begins with * in quotes"),
        (
            "a: 1\n---\nb: 2\n",
            "config.yaml:2:1: broken YAML: expected a single document in the stream, but found another document",
        ),
        ("- 1\n- 2\n", "config.yaml:1:1: expected keys and values at the top, got a list"),
        ("just text\n", "config.yaml:1:1: expected keys and values at the top, got 'just text'"),
        ("null\n", "config.yaml:1:1: expected keys and values at the top, got nothing"),
        ("a: \x01\n", "config.yaml:1:4: the character '\\x01' cannot stand in YAML"),
        ("a: !!binary aGk=\n", "config.yaml:1:4: the tag tag:yaml.org,2002:binary is not for us; leave it out"),
        ("a: !python/object:os.system x\n", "config.yaml:1:4: the tag !python/object:os.system is not for us"),
        ("a: !!set {x}\n", "config.yaml:1:4: the tag tag:yaml.org,2002:set is not for us"),
        ("? [1]\n: 2\n", "config.yaml:1:3: a key must be text or a number"),
        ("<<: 5\n", "config.yaml:1:5: << takes a mapping or a list of mappings"),
        ("a: &a [*a]\n", "config.yaml:1:4: *a contains itself"),
        ('a: "\\ud800"\n', "config.yaml:1:4: half a character"),
        ("a: " + "[" * 101 + "]" * 101, "config.yaml:1:103: nested too deep, at most 100 levels"),
        ("a: " + "[" * 50_000, "config.yaml:1:1: nested too deep, at most 100 levels"),
        (b"ok: 1\nname: \xff\n", "config.yaml:2:7: not UTF-8 (byte 0xff); save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xff\n", "config.yaml:1:4: not UTF-8 (byte 0xff)"),
        ("a: 1".encode("utf-16"), "config.yaml:1:1: not UTF-8 (byte 0xff)"),
    ],
)
def test_broken_yaml(refused: Refused, content: str | bytes, said: str) -> None:
    """Each names file, line and column, what is wrong, and what to do where that is known."""
    assert refused(content).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{\n  "pin": 4,\n  "pin": 5\n}\n',
            "config.json:3:3: the key 'pin' stands here a second time (first on line 2)",
        ),
        ('{"a": {"b": 1, "\\u0062": 2}}', "config.json:1:16: the key 'b' stands here a second time (first on line 1)"),
        ('{\n  "pin": 4,\n}\n', "config.json:"),
        ("{'pin': 4}", "config.json:1:2: broken JSON: expecting property name enclosed in double quotes; JSON wants"),
        (
            '{"pin": 4 // four\n}',
            "config.json:1:11: broken JSON: expecting ',' delimiter; JSON has no comments (config.yaml does)",
        ),
        ('{"on": True}', "config.json:1:8: broken JSON: expecting value; write true, false or null"),
        ('{"a": 1\n "b": 2}', "config.json:2:2: broken JSON: expecting ',' delimiter; is a comma missing before it?"),
        ('{"a": 1,, "b": 2}', "config.json:1:9: broken JSON: "),
        ('{"a": "tab\there"}', "config.json:1:11: broken JSON: invalid control character"),
        ('{"a": 1} x', "config.json:1:10: broken JSON: extra data"),
        ("pin: 4\n", "config.json:1:1: broken JSON: expecting value"),
        ("[1]", "config.json:1:1: expected keys and values at the top, got a list"),
        ("null", "config.json:1:1: expected keys and values at the top, got nothing"),
        ('{"a":\n [1, NaN]}', "config.json:2:6: NaN is no JSON"),
        ('{"NaN": -Infinity}', "config.json:1:9: -Infinity is no JSON"),
        ('{"a": 1e999}', "config.json:1:7: a number that is too large"),
        ('{"a": ' + "9" * 5_000 + "}", "config.json:1:7: a number that is too large"),
        ('{"a": "\\ud800"}', "config.json:1:7: half a character"),
        ('{"\\udfff": 1}', "config.json:1:2: half a character"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "config.json:1:106: nested too deep, at most 100 levels"),
        ('{"a": ' + "[" * 200_000, "config.json:1:1: nested too deep, at most 100 levels"),
        (b'{"a":\n"\xff"}', "config.json:2:2: not UTF-8 (byte 0xff)"),
    ],
)
def test_broken_json(refused: Refused, content: str | bytes, said: str) -> None:
    """Likewise, with the usual slips named."""
    assert refused(content, "config.json").startswith(said)


def test_a_comma_too_many(refused: Refused) -> None:
    """The most usual slip of all, whatever Python's version calls it."""
    assert refused('{\n  "pin": 4,\n}\n', "config.json").endswith("; is there a comma too many?")


@pytest.mark.parametrize("name", ["config.json", "config.yaml"])
def test_a_file_that_is_too_large(refused: Refused, name: str) -> None:
    """10 MB are refused unread, in one line; 1 MiB exactly is read."""
    said = f"{name}:1: the file is 10,000,000 bytes, at most 1,048,576"
    assert refused(b"#" * 10_000_000, name) == said


def test_the_largest_file(read: Read) -> None:
    """1 MiB is read."""
    text = b'{"a": "' + b"x" * (MAX_CONFIG_BYTES - 9) + b'"}'
    assert len(text) == MAX_CONFIG_BYTES
    assert len(read(text, "config.json").values["a"]) == MAX_CONFIG_BYTES - 9


def test_a_billion_laughs(refused: Refused) -> None:
    """Aliases of aliases of aliases are refused before they are written out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert "aliases repeat too much" in refused("\n".join(lines))


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a pipe and a dangling link of that name are errors, and nothing waits."""
    for name, make in (
        ("folder", lambda path: path.mkdir()),
        ("pipe", os.mkfifo),
        ("link", lambda path: path.symlink_to(tmp_path / "nowhere")),
    ):
        make(tmp_path / f"{name}.json")
        with pytest.raises(ConfigError, match=r"is no regular file|cannot be read: No such file"):
            load_config(tmp_path, {}, name)


def test_ruamels_own_errors_are_ours(read: Read, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ruamel stumbles over with errors that are not its own is broken YAML on line 1."""

    def stumble(*_: object) -> None:
        raise IndexError("string index out of range")

    monkeypatch.setattr(YAML, "compose", stumble)
    assert refused("a: 1\n") == "config.yaml:1:1: broken YAML: string index out of range"
