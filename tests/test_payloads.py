"""Payloads: a value has one form on the wire, in either dialect, or is refused before it leaves."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.errors import PayloadError
from halloween_host.payloads import MAX_JSON_DEPTH, depth_of, encode_value, legacy_value, read_json, to_json
from tests.strategies import Colour, Lamp, Level, Scene, json_values, payload_values, utf8_text


@dataclasses.dataclass
class Plain:
    pin: int


@given(payload_values)
def test_every_value_is_utf8(value: object) -> None:
    """Whatever a worker may publish becomes UTF-8; all but text is JSON."""
    payload = encode_value(value)
    if not isinstance(value, str | Colour):
        json.loads(payload)


@given(json_values)
def test_json_round_trip(value: object) -> None:
    """`read_json` reads what `to_json` wrote, types included."""
    assert repr(read_json(to_json(value))) == repr(value)


@given(utf8_text | json_values.map(json.dumps))
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    """Nothing else leaves `read_json`."""
    try:
        value = read_json(text)
    except ValueError:
        return
    to_json(value)


_BITS = r"""{ } [ ] , : " "a" "action" \ "\ud800" "\u00e9" 0 -0 1 1e5 1e999 -1E+400 0.1 NaN -Infinity null true {"a":1,"a":2}"""
_bits = st.lists(
    st.sampled_from(
        [
            *_BITS.split(),
            *(" ", "\n", "\x0b", "\xa0", "\ufeff"),
            *("9" * 30, "9" * 5_000, "[" * 60, "[" * 101 + "]" * 101, '{"a":' * 99 + "1" + "}" * 99, '{"a":' * 3_000),
        ]
    ),
    max_size=6,
).map("".join)
near_json = st.tuples(_bits, json_values.map(json.dumps) | _bits, _bits).map("".join)


def slowly_read(text: str) -> Any:
    """`read_json` by json.loads alone, as it was before it had a quick way for most texts."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    def finite(number: str) -> float:
        if math.isinf(float(number)):
            raise ValueError(f"{number[:40]} is too large for a number")
        return float(number)

    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
        too_deep = depth_of(value) > MAX_JSON_DEPTH
    except RecursionError:
        too_deep = True
    except UnicodeEncodeError:
        raise ValueError("JSON with a lone surrogate (\\ud800 to \\udfff): that is no text") from None
    if too_deep:
        raise ValueError(f"JSON is nested too deep, at most {MAX_JSON_DEPTH} levels")
    return value


def outcome(read: Callable[[str], Any], text: str) -> str:
    """The value, or the error in its own words."""
    try:
        return repr(read(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@given(near_json)
def test_the_quick_way_reads_as_json_loads_does(text: str) -> None:
    """The same value, or the same words about the same place."""
    assert outcome(read_json, text) == outcome(slowly_read, text)


@given(st.integers() | st.floats() | st.sampled_from([1 << 63, -(1 << 63), 10**5_000, True, False, 1e16, 1e-7, -0.0]))
def test_numbers_are_written_as_json_writes_them(number: float) -> None:
    """Without an encoder, and yet the same text; what JSON has no form for is refused."""
    try:
        expected = json.dumps(number, allow_nan=False)
    except ValueError:
        with pytest.raises(PayloadError):
            to_json(number)
    else:
        assert to_json(number) == to_json(number, compact=False) == expected


@pytest.mark.parametrize(
    ("value", "native", "legacy"),
    [
        ("hello ü", "hello ü".encode(), "hello ü".encode()),
        ("", b"", b""),
        (b"\xff\x00", b"\xff\x00", b"\xff\x00"),
        (bytearray(b"raw"), b"raw", b"raw"),
        (True, b"true", b"True"),
        (False, b"false", b"False"),
        (None, b"null", b"None"),
        (5, b"5", b"5"),
        (2.5, b"2.5", b"2.5"),
        (1e100, b"1e+100", b"1e+100"),
        ([1, "a", None], b'[1,"a",null]', b"[1, 'a', None]"),
        ((1, 2), b"[1,2]", b"(1, 2)"),
        ({"a": True}, b'{"a":true}', b"{'a': True}"),
        ({1: 2}, b'{"1":2}', b"{1: 2}"),
        (Colour.RED, b"red", b"Colour.RED"),
        (Level.HIGH, b"2", b"2"),
    ],
)
def test_values_out(value: object, native: bytes, legacy: bytes) -> None:
    """Native: text and bytes as they are, all else as JSON. Legacy: ``str(value)``, as 2025 sent it."""
    assert encode_value(value) == native
    assert legacy_value(value) == legacy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Scene("a", (Lamp(1),), next=Scene("b")), '{"name":"a","lamps":[{"pin":1,"dimmed":false,"colour":"red"}]'),
        (Plain(4), '{"pin":4}'),
        ([Plain(4), Lamp(2)], '[{"pin":4},{"pin":2,'),
        (types.MappingProxyType({"a": 1}), '{"a":1}'),
        (collections.deque([1, 2]), "[1,2]"),
        (range(3), "[0,1,2]"),
        ({5}, "[5]"),
        (frozenset({5}), "[5]"),
        ({"at": Path("/tmp/x")}, '{"at":"/tmp/x"}'),
        ({"mode": Colour.GREEN}, '{"mode":"green"}'),
    ],
)
def test_json_forms(value: object, text: str) -> None:
    """Mappings, sequences, sets, enums, paths and attrs classes have one, wherever they stand."""
    assert to_json(value).startswith(text)


def _ring() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


def _tower() -> list[object]:
    tower: list[object] = []
    for _ in range(200_000):
        tower = [tower]
    return tower


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "cannot send float: NaN and infinities are no JSON"),
        ({"a": [float("inf")]}, "cannot send dict: NaN and infinities are no JSON"),
        (object(), "cannot send object: JSON has no form for a object; send text"),
        ({"a": object()}, "cannot send dict: JSON has no form for a object"),
        ([b"raw"], "cannot send list: JSON has no form for a bytes"),
        ({(1, 2): 3}, "cannot send dict: keys must be str"),
        (_ring(), "cannot send list: it contains itself"),
        (_tower(), "cannot send list: it is nested too deep"),
        (10**5_000, "cannot send int: "),
        ("a\ud800b", "cannot send str: text with a lone surrogate is no UTF-8: '\\ud800' at character 1"),
        (["\udfff"], "cannot send list: text with a lone surrogate"),
        (1j, "cannot send complex: JSON has no form for a complex"),
        (Lamp, "cannot send type: JSON has no form for a type"),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, str) else "",
)
def test_values_that_have_no_form(value: object, said: str) -> None:
    """They are refused where they are published, with the reason."""
    with pytest.raises(PayloadError) as caught:
        encode_value(value)
    assert str(caught.value).startswith(said)
    assert caught.value.value is value


def test_legacy_text_must_be_utf8_too() -> None:
    """2025's ``str(value)`` could not be sent either when it held half a character."""
    with pytest.raises(PayloadError):
        legacy_value("\ud800")


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "-1e999", '"\\ud800"', "{", "", "[" * 100_000, "9" * 5_000, "'a'"]
)
def test_text_that_is_no_json(text: str) -> None:
    """Python's own reader takes some of it; ours refuses all that RFC 8259 or UTF-8 does not know."""
    with pytest.raises(ValueError, match=r"\S"):
        read_json(text)


@given(st.integers(0, 2 * MAX_JSON_DEPTH))
def test_the_limit_of_depth_is_exact(depth: int) -> None:
    """As deep as `MAX_JSON_DEPTH`, not a level deeper."""
    text = "[" * depth + "1" + "]" * depth
    if depth <= MAX_JSON_DEPTH:
        assert depth_of(read_json(text)) == depth
    else:
        with pytest.raises(ValueError, match="too deep"):
            read_json(text)
