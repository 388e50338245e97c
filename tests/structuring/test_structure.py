"""Structuring: any JSON value against any hint is a value of that type or a StructureError, and nothing is bent to fit."""

from __future__ import annotations

import collections.abc
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given

from halloween_host.errors import StructureError
from halloween_host.structuring import WrongKey, check_hint, structure, structure_all
from tests.strategies import COLOURS, Colour, Lamp, Level, Scene, hints, json_values
from tests.structuring.models import Fogger, Nested, Pin, Range, is_a


@given(json_values, hints)
def test_any_value_against_any_hint(value: object, hint: Any) -> None:
    """The result is of that type, or there are problems, each with the path of something that stands there or is missing."""
    result, problems = structure_all(value, hint)
    if not problems:
        assert is_a(result, hint), f"{result!r} is no {hint}"
        assert repr(structure(value, hint)) == repr(result)
        return
    assert result is None
    with pytest.raises(StructureError) as caught:
        structure(value, hint)
    assert str(caught.value) == str(problems[0])
    for problem in problems:
        around: Any = value
        for step in problem.path[:-1]:
            around = around[step]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (5, int, 5),
        ("5", int, 5),
        (" -12 ", int, -12),
        (750.0, int, 750),
        (5, float, 5.0),
        ("2.5", float, 2.5),
        ("1e3", float, 1000.0),
        (True, bool, True),
        ("on", bool, True),
        ("No", bool, False),
        ("TRUE", bool, True),
        ("5", str, "5"),
        (None, type(None), None),
        ("/dev/ttyUSB0", Path, Path("/dev/ttyUSB0")),
        ("red", Colour, Colour.RED),
        (1, Level, Level.LOW),
        ("2", Level, Level.HIGH),
        (3, COLOURS, 3),
        ("3", COLOURS, 3),
        ("red", COLOURS, "red"),
        (Colour.RED.value, Literal[Colour.RED], Colour.RED),
        ("true", Literal[True, None], True),
        ("null", Literal[True, None], None),
        (None, int | None, None),
        ("5", int | str, 5),
        ("5", str | int, "5"),
        (5, str | int, 5),
        (True, int | bool, True),
        ("on", bool | str, True),
        ("fog", int | str, "fog"),
        ([1, "2"], list[int], [1, 2]),
        ([1, "a"], list, [1, "a"]),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, "a"], tuple[int, str], (1, "a")),
        ([], tuple[()], ()),
        ([1, 1], set[int], {1}),
        ([1], frozenset[int], frozenset({1})),
        ({"a": "1"}, dict[str, int], {"a": 1}),
        ({"17": "relay"}, dict[int, str], {17: "relay"}),
        ({17: "relay"}, dict[int, str], {17: "relay"}),
        ({"red": True}, dict[Colour, bool], {Colour.RED: True}),
        ({"a": [1]}, collections.abc.Mapping[str, collections.abc.Sequence[int]], {"a": [1]}),
        ({"pin": 3}, Lamp, Lamp(3)),
        ({"pin": "3", "dimmed": "yes", "colour": "green"}, Lamp, Lamp(3, True, Colour.GREEN)),
        ({"name": "a", "lamps": [{"pin": 1}], "next": {"name": "b"}}, Scene, Scene("a", (Lamp(1),), next=Scene("b"))),
        ({"low": "1", "high": 2}, Range[int], Range(1, 2)),
        ({"duration_ms": 5, "gpio": 7, "power": 2}, Fogger, Fogger(5, pin=7, power=2.0)),
        ([{"pin": 1}, 5], list[Lamp | int], [Lamp(1), 5]),
        (5, Annotated[int, "pin"], 5),
        (5, Pin, 5),
        ({"x": [None]}, Any, {"x": [None]}),
        ({"inner": {"pin": 1}}, Nested.Outer, Nested.Outer(Nested.Inner(1))),
    ],
)
def test_what_fits(value: object, hint: Any, expected: object) -> None:
    """The table of what becomes what."""
    check_hint(hint)
    result: object = structure(value, hint)
    assert repr(result) == repr(expected)


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        (True, int, "expected whole number, got true"),
        (2.9, int, "expected whole number, got 2.9"),
        ("2.9", int, "expected whole number, got '2.9'"),
        ("1_000", int, "expected whole number, got '1_000'"),
        ("", int, "expected whole number, got ''"),
        (None, int, "expected whole number, got nothing"),
        ("9" * 5_000, int, "expected whole number, got '999"),
        (True, float, "expected number, got true"),
        (float("nan"), float, "expected number, got nan"),
        ("inf", float, "expected number, got 'inf'"),
        (10**400, float, "expected number, got 1000"),
        pytest.param(10**5_000, float, "expected number, got a very large number", id="huge"),
        ("1e999", float, "expected number, got '1e999'"),
        (1, bool, "expected on/off, got 1; write true or false"),
        ("1", bool, "expected on/off, got '1'; write true or false"),
        (1234, str, 'expected text, got 1234; put it in quotes: "1234"'),
        (True, str, 'expected text, got true; put it in quotes: "true"'),
        (None, str, "expected text, got nothing"),
        ([], str, "expected text, got an empty list"),
        ({}, list, "expected a list, got an empty object"),
        ("abc", list[str], "expected a list, each text, got 'abc'"),
        (0, type(None), "expected nothing, got 0"),
        (5, Path, "expected path, got 5"),
        ("gren", Colour, "expected one of 'red', 'green', got 'gren'; did you mean 'green'?"),
        (True, Level, "expected one of 1, 2, got true"),
        (1.0, Level, "expected one of 1, 2, got 1.0"),
        ([], Colour, "expected one of 'red', 'green', got an empty list"),
        ("blue", COLOURS, "expected one of 'red', 'green', 3, got 'blue'"),
        (2.5, int | None, "expected whole number or nothing, got 2.5"),
        ([], int | str, "expected whole number or text, got an empty list"),
        ([1], tuple[int, str], "expected a list of 2 (whole number, text), got a list of 1"),
        ([[1]], set, "expected a list, got a list with a list or an object in it"),
        ([1, "x"], list[int], "$[1]: expected whole number, got 'x'"),
        ({"a": {"b": []}}, dict[str, dict[str, int]], "$.a.b: expected whole number, got an empty list"),
        ({5: 1}, dict[str, int], '$[5]: expected text as a key, got 5; put it in quotes: "5"'),
        ("x", Lamp, "expected an object with 'pin', 'dimmed', 'colour', got 'x'"),
        ({}, Lamp, "$.pin: expected whole number, got nothing: the key is missing"),
        ({"pin": {}}, Lamp | int, "$.pin: expected whole number, got an empty object"),
        (
            {"pin": 1, "color": "red"},
            Lamp,
            "$.color: expected one of the keys 'pin', 'dimmed', 'colour', got 'color'; did",
        ),
        ({"pin": 1, "_dimmed": True}, Lamp, "$._dimmed: expected one of the keys"),
        ({"pin": 1, 2: 3}, Lamp, "$[2]: expected one of the keys 'pin', 'dimmed', 'colour', got 2"),
        (
            {"duration_ms": 0},
            Fogger,
            "$.duration_ms: expected a value that Fogger takes, got 0: 'duration_ms' must be > 0: 0",
        ),
        (
            {"duration_ms": 1, "label": "burst"},
            Fogger,
            "$.label: expected a value that Fogger takes, got 'burst': label and mode must differ",
        ),
        (
            {"duration_ms": 1, "pin": 4},
            Fogger,
            "$.pin: expected one of the keys 'duration_ms', 'mode', 'label', 'gpio', 'power'",
        ),
        ({"duration_ms": 1, "computed": 4}, Fogger, "$.computed: expected one of the keys"),
    ],
)
def test_what_does_not_fit(value: object, hint: Any, said: str) -> None:
    """Each refusal tells where, what was expected and what was got, in words of people."""
    with pytest.raises(StructureError) as caught:
        structure(value, hint)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 300


def test_all_problems_at_once() -> None:
    """Unknown keys first, since they often explain a missing one; each with its own path."""
    value = {"nmae": "a", "lamps": [{"pin": True}, {"pin": 1, "x": 2}, 5], "levels": {"a": "?"}, "next": {}}
    result, problems = structure_all(value, Scene)
    assert result is None
    assert [problem.json_path for problem in problems] == [
        "$.nmae",
        "$.name",
        "$.lamps[0].pin",
        "$.lamps[1].x",
        "$.lamps[2]",
        "$.levels.a",
        "$.next.name",
    ]
    assert [isinstance(problem, WrongKey) for problem in problems] == [True, False, False, True, False, False, False]


def test_a_path_may_begin_further_out() -> None:
    """`path` is where the value stands."""
    with pytest.raises(StructureError, match=r"^\$\.lamps\[0\]\.pin: "):
        structure({"pin": "x"}, Lamp, path=("lamps", 0))


def test_a_value_nested_too_deep() -> None:
    """A class that nests itself meets its limit as a StructureError."""
    value: dict[str, object] = {"name": "a"}
    for _ in range(20_000):
        value = {"name": "a", "next": value}
    with pytest.raises(StructureError, match="nested too deep"):
        structure(value, Scene)
