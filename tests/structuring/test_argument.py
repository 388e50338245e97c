"""A handler's annotation decides what it receives, and what it never has to look at."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from hypothesis import given

from halloween_host.errors import StructureError
from halloween_host.structuring import check_hint, structure_argument
from tests.strategies import Colour, Lamp, hints, json_values
from tests.structuring.models import is_a


@given(json_values, hints)
def test_any_argument_against_any_hint(args: object, hint: Any) -> None:
    """A handler gets a value of its annotation, or the command is refused."""
    check_hint(hint)
    try:
        argument = structure_argument(args, hint)
    except StructureError:
        return
    assert is_a(argument, hint)


@pytest.mark.parametrize(
    ("args", "hint", "expected"),
    [
        (None, None, None),
        ("hello", None, "hello"),
        (5, None, "5"),
        ({"a": [1]}, None, '{"a":[1]}'),
        (None, str | None, None),
        (True, str | None, "true"),
        ([1, 2], Optional[str], "[1,2]"),  # noqa: UP045 authors write it
        ("750", int, 750),
        (None, int | None, None),
        ("off", bool, False),
        ("green", Colour, Colour.GREEN),
        ('{"a": 1}', dict, {"a": 1}),
        ('{"a": 1}', dict[str, int], {"a": 1}),
        ("[1, 2]", list[int], [1, 2]),
        ("[1, 2]", tuple[int, ...], (1, 2)),
        ('{"pin": 3}', Lamp, Lamp(3)),
        ({"pin": 3}, Lamp, Lamp(3)),
        ('{"pin": 3}', Lamp | None, Lamp(3)),
        ("7", Lamp | int, 7),
        ("fog", dict | str, "fog"),
        ('{"a": 1}', dict | str, {"a": 1}),
        ('{"a": 1}', str | dict, '{"a": 1}'),
        ({"a": 1}, str | dict, {"a": 1}),
        ("fog", Any, "fog"),
        ([1], object, [1]),
    ],
)
def test_what_a_handler_receives(args: object, hint: Any, expected: object) -> None:
    """Text for text, the declared type for the rest; text that stands for an object or a list is read as JSON."""
    assert repr(structure_argument(args, hint)) == repr(expected)


@pytest.mark.parametrize(
    ("args", "hint", "said"),
    [
        (None, str, "expected text, got nothing"),
        (None, int, "expected whole number, got nothing"),
        ("2.9", int, "expected whole number, got '2.9'"),
        ("fog", dict, "expected an object, got 'fog'; as JSON: Expecting value"),
        ("[NaN]", list, "expected a list, got '[NaN]'; as JSON: NaN is no JSON number"),
        ("[1]", dict, "expected an object, got a list"),
        ("[" * 5_000, list, "expected a list, got '[["),
        (
            '{"pim": 3}',
            Lamp,
            "$.pim: expected one of the keys 'pin', 'dimmed', 'colour', got 'pim'; did you mean 'pin'?",
        ),
        ("fog", Lamp | int, "expected an object with 'pin', 'dimmed', 'colour' or whole number, got 'fog'"),
        ({"a": "\ud800"}, None, "expected text, got an object (text with a lone surrogate"),
    ],
)
def test_what_a_handler_refuses(args: object, hint: Any, said: str) -> None:
    """What does not fit is told with expected and got; a bare `str` wants an argument, `str | None` does not."""
    with pytest.raises(StructureError) as caught:
        structure_argument(args, hint)
    assert str(caught.value).startswith(said)
    assert len(str(caught.value)) < 300
