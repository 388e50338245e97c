"""JSON by RFC 8259 and no more; the places of its keys and values are found by a second look at text known to be valid."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final, NoReturn

import attrs

from halloween_host.config._loaded import Document, Lines, Steps
from halloween_host.payloads import MAX_JSON_DEPTH

__all__ = ["parse_json"]

Fail = Callable[[str, int, int], NoReturn]

#: A string, a bracket or mark, or a number or word; on valid JSON nothing else is left but white space.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
#: Python refuses to read longer ones (sys.set_int_max_str_digits).
_MAX_DIGITS: Final = 4_000


def parse_json(text: str, fail: Fail) -> Document:
    """`fail(reason, line, column)` raises for text that is no JSON, or holds a key twice, NaN, or more levels than we take."""
    try:
        values = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) <= _MAX_DIGITS else 0)
    except json.JSONDecodeError as error:
        fail(f"broken JSON: {error.msg[0].lower()}{error.msg[1:]}{_advice(text, error.pos)}", error.lineno, error.colno)
    except RecursionError:
        fail(f"nested too deep, at most {MAX_JSON_DEPTH} levels", 1, 1)
    document = _Walk(text, fail).document
    document.values = values
    return document


@attrs.define
class _Open:
    """An object or a list that is not closed yet. `step` is the key or the index that is due, None where a key must come."""

    steps: Steps
    keys: set[str] | None
    step: str | int | None


class _Walk:
    def __init__(self, text: str, fail: Fail) -> None:
        self.document = Document()
        self._lines = Lines(text)
        self._fail = fail
        self._open: list[_Open] = []
        for token in _TOKEN.finditer(text):
            self._take(token[0], token.start())

    def _take(self, token: str, offset: int) -> None:
        inner = self._open[-1] if self._open else None
        if token in ("}", "]"):
            self._open.pop()
        elif token == "," and inner is not None:
            inner.step = inner.step + 1 if isinstance(inner.step, int) else None
        elif inner is not None and inner.step is None:
            self._take_key(token, offset, inner)
        elif token != ":":
            self._take_value(token, offset, (*inner.steps, inner.step) if inner and inner.step is not None else ())

    def _take_key(self, token: str, offset: int, inner: _Open) -> None:
        key = self._text(token, offset)
        assert inner.keys is not None
        if key in inner.keys:
            first = self.document.key_places[(*inner.steps, key)].line
            self._stop(f"the key {key!r} stands here a second time (first on line {first})", offset)
        inner.keys.add(key)
        inner.step = key
        self.document.key_places[(*inner.steps, key)] = self._lines.place(offset)

    def _take_value(self, token: str, offset: int, steps: Steps) -> None:
        self.document.value_places[steps] = self._lines.place(offset)
        if token in ("{", "["):
            if len(self._open) >= MAX_JSON_DEPTH:
                self._stop(f"nested too deep, at most {MAX_JSON_DEPTH} levels", offset)
            self._open.append(_Open(steps, set(), None) if token == "{" else _Open(steps, None, 0))
        elif token.startswith('"'):
            self._text(token, offset)
        elif token in ("NaN", "Infinity", "-Infinity"):
            self._stop(f"{token} is no JSON", offset)
        elif token not in ("true", "false", "null") and (len(token) > _MAX_DIGITS or math.isinf(float(token))):
            self._stop("a number that is too large", offset)

    def _text(self, token: str, offset: int) -> str:
        text: str = json.loads(token)
        if "\\u" in token and any("\ud800" <= char <= "\udfff" for char in text):
            self._stop("half a character: \\ud800 to \\udfff stand in pairs only", offset)
        return text

    def _stop(self, reason: str, offset: int) -> NoReturn:
        self._fail(reason, *self._lines.place(offset))


def _advice(text: str, offset: int) -> str:
    """What the usual slips look like at the place where the parser gave up."""
    rest, before = text[offset : offset + 10], text[:offset].rstrip()
    if rest.startswith("'"):
        return '; JSON wants "double quotes"'
    if rest.startswith(("//", "/*", "#")):
        return "; JSON has no comments (config.yaml does)"
    if rest.startswith(("True", "False", "None")):
        return "; write true, false or null"
    if (before.endswith(",") and rest.lstrip().startswith(("}", "]"))) or rest.startswith(","):
        return "; is there a comma too many?"
    if rest.startswith('"') and before:
        return "; is a comma missing before it?"
    return ""
