"""A value that a worker sends has exactly one form on the wire, or is refused before it leaves."""

from __future__ import annotations

import enum
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import is_dataclass
from pathlib import PurePath
from typing import Any, Final, NoReturn

import attrs

from halloween_host.errors import PayloadError

__all__ = ["MAX_JSON_DEPTH", "as_text", "depth_of", "encode_value", "legacy_value", "read_json", "to_json"]

#: Python's own limits on nesting differ by version; this one is ours, so that a payload means the same on all of them.
MAX_JSON_DEPTH: Final = 100

#: Whole numbers below this one are written without an encoder; Python refuses to write very long ones.
_LONG: Final = 1 << 63
_TOO_DEEP: Final = f"JSON is nested too deep, at most {MAX_JSON_DEPTH} levels"


def encode_value(value: object) -> bytes:
    """The payload of a native worker's `value`: text and bytes as they are, all else as compact JSON (None: ``null``).

    Raises:
        PayloadError: for NaN and infinities, objects that JSON cannot hold, text that is no UTF-8 (lone surrogates).
    """
    if isinstance(value, enum.Enum):
        return encode_value(value.value)
    if isinstance(value, str):
        return _utf8(value, value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return to_json(value).encode()


def legacy_value(value: object) -> bytes:
    """The payload as 2025 sent it: ``str(value)``; bytes as they are.

    Raises:
        PayloadError: for text that is no UTF-8 (lone surrogates).
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return _utf8(value, str(value))


def as_text(value: object) -> str | None:
    """A JSON value for those who want text: text and None as they are, all else as compact JSON. Raises as `to_json`."""
    return value if value is None or isinstance(value, str) else to_json(value)


def to_json(value: object, *, compact: bool = True) -> str:
    """`value` as JSON text by RFC 8259, so without NaN; attrs classes through cattrs, enums by value, sets as lists.

    Raises:
        PayloadError: as `encode_value`; also for what is nested too deep or contains itself.
    """
    # Most values are numbers, for which an encoder takes ten times as long; what it would refuse goes on to it.
    if (type(value) is float and math.isfinite(value)) or (type(value) is int and -_LONG < value < _LONG):
        return repr(value)
    try:
        text = (_COMPACT if compact else _SPACED).encode(value)
    except RecursionError:
        raise PayloadError(value, "it is nested too deep") from None
    except ValueError as error:
        raise PayloadError(value, _reason(error)) from None
    except TypeError as error:
        raise PayloadError(value, f"{error}; send text, numbers, lists, dicts or an attrs class") from None
    _utf8(value, text)
    return text


def read_json(text: str) -> Any:
    """The value of JSON text by RFC 8259; numbers are finite, text is UTF-8, at most `MAX_JSON_DEPTH` levels deep.

    Raises:
        ValueError: for all other text; `json.JSONDecodeError` with a position where it is broken.
    """
    try:
        # Most are objects alone: nothing to skip before them, so half of what `decode` does is not needed.
        value, end = _DECODER.raw_decode(text) if text.startswith("{") else (None, -1)
        if end != len(text):
            value = _decode(text)
        if "\\u" in text:  # only an escape brings a lone surrogate into text that was UTF-8
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except UnicodeEncodeError:
        raise ValueError("JSON with a lone surrogate (\\ud800 to \\udfff): that is no text") from None
    if len(text) > MAX_JSON_DEPTH < text.count("[") + text.count("{") and depth_of(value) > MAX_JSON_DEPTH:
        raise ValueError(_TOO_DEEP)
    return value


def depth_of(value: object) -> int:
    """How many levels of dicts and lists are inside one another; 0 for a scalar."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return depth


def _decode(text: str) -> Any:
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    return _DECODER.decode(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number


def _plain(value: object) -> object:
    """What json asks when it does not know a type."""
    if attrs.has(type(value)) or (is_dataclass(value) and not isinstance(value, type)):
        return _unstructure()(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Set | Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


@functools.cache
def _unstructure() -> Callable[[object], object]:
    """What makes plain values of an attrs class or a dataclass; made for the first one."""
    import cattrs
    from cattrs.gen import make_dict_unstructure_fn

    converter = cattrs.Converter()
    # A field `_dimmed` is called `dimmed` on the wire, as in config files and in arguments of commands.
    converter.register_unstructure_hook_factory(
        attrs.has, lambda cls: make_dict_unstructure_fn(cls, converter, _cattrs_use_alias=True)
    )
    return converter.unstructure


def _reason(error: ValueError) -> str:
    text = str(error)
    if text.startswith("Out of range float"):
        return "NaN and infinities are no JSON; send None or leave it out"
    if text.startswith("Circular"):
        return "it contains itself"
    return text


def _utf8(value: object, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        lone = f"{text[error.start]!r} at character {error.start}"
        raise PayloadError(value, f"text with a lone surrogate is no UTF-8: {lone}") from None


# Made once: json.loads makes a new decoder a call as soon as it is given a rule.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
_SPACED: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain)
