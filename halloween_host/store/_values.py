"""A stored value is JSON text: what goes in is copied, what comes out is a copy, and what is no JSON never gets in."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from halloween_host.errors import StoreError
from halloween_host.payloads import MAX_JSON_DEPTH

__all__ = ["check_key", "decode", "encode"]

#: Characters of one value's JSON: SQLite would take a thousand million, an SD card would not.
MOST_CHARS: Final = 16 * 1024 * 1024

_ALLOWED: Final = "JSON is text, finite numbers, booleans, None, lists, and dicts whose keys are text"


def check_key(key: object) -> str:
    """The key as plain text.

    Raises:
        StoreError: when it is no text, or text that is no UTF-8.
    """
    if not isinstance(key, str):
        raise StoreError(key, f"a key is text, not {_kind(key)}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise StoreError(key, "the key holds a lone surrogate: that is no text") from None
    return str.__str__(key)


def encode(key: str, value: object) -> str:
    """The JSON text of `value`, a tuple as a list.

    Raises:
        StoreError: when it is not JSON, saying what is not and where in it; or too long, or nested too deep.
    """
    if (misfit := _misfit(value, 0)) is not None:
        where, reason = misfit
        raise StoreError(key, f"{reason}{f' at {where}' if where else ''}; {_ALLOWED}")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:
        raise StoreError(key, "it holds a lone surrogate: that is no text") from None
    except (ValueError, TypeError, RuntimeError) as error:  # a number of 5,000 digits; a dict that changes meanwhile
        raise StoreError(key, str(error)) from None
    if len(text) > MOST_CHARS:
        raise StoreError(key, f"it is too long: {len(text):,} characters of JSON, at most {MOST_CHARS:,}")
    return text


def decode(text: str) -> Any:
    """A new copy of what was encoded."""
    return json.loads(text)


def _misfit(value: object, depth: int) -> tuple[str, str] | None:
    """(where, what) of the first thing that is not JSON; json itself would make text of the key 1, and write NaN."""
    if value is None or isinstance(value, str | int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else ("", f"{value} is no JSON number")
    if isinstance(value, dict | list | tuple):
        if depth == MAX_JSON_DEPTH:
            return "", f"it is nested deeper than {MAX_JSON_DEPTH} levels, or contains itself"
        return _misfit_inside(value, depth + 1)
    return "", f"{_kind(value)} is not JSON"


def _misfit_inside(value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> tuple[str, str] | None:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for step, child in items:
        if isinstance(value, dict) and not isinstance(step, str):
            return "", f"the key {step!r:.80} is {_kind(step)}, not text"
        if (misfit := _misfit(child, depth)) is not None:
            where, reason = misfit
            return f"[{step!r:.80}]{where}"[:400], reason
    return None


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"
