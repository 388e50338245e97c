"""A log line is one line: whatever an event or a value holds, it is escaped, bounded and in its place.

Pure: mappings in, text out. Control characters (C0 but tab, C1), line separators, bidirectional overrides and lone
surrogates are shown as Python escapes, so that what a prop receives by MQTT can neither fake a line nor repaint a
terminal. A text is cut at `MAX_TEXT_CHARS`, a traceback at `MAX_TRACEBACK_CHARS` (its middle goes: the ends tell most),
both with a mark that says how long it was.
"""

from __future__ import annotations

import functools
import json
import math
import re
import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

__all__ = ["MAX_TEXT_CHARS", "MAX_TRACEBACK_CHARS", "console_line", "escape", "journal_line", "json_line"]

MAX_TEXT_CHARS = 4_096
MAX_TRACEBACK_CHARS = 32_768
_MAX_INT_BITS = 1_024  # beyond some 14,000 bits Python refuses to print an int at all

_UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NEEDS_QUOTES = re.compile(r"[\s\"'=]|^$")
#: Of syslog(3), by which `journalctl --priority=` picks.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}


def escape(text: str) -> str:
    """`text` with every character that could break a line or repaint a terminal as its Python escape."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def console_line(fields: Mapping[str, Any], *, colours: bool) -> str:
    """``12:34:56 info     fogger  event  key=value``, a traceback indented below it; "-" where no worker is bound."""
    return _readable(fields, _time_of_day(int(fields["timestamp"])), colours=colours)


def journal_line(fields: Mapping[str, Any]) -> str:
    """The same without the time, which the journal has itself; each line begins with its priority: ``<6>`` (sd-daemon(3))."""
    priority = f"<{_PRIORITIES.get(str(fields['level']), 6)}>"
    return "\n".join(f"{priority}{line}" for line in _readable(fields, "", colours=False).split("\n"))


def _readable(fields: Mapping[str, Any], moment: str, *, colours: bool) -> str:
    def paint(code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colours and text else text

    facts = dict(fields)
    del facts["timestamp"]
    level = str(facts.pop("level"))
    worker = _plain_text(facts.pop("worker", "-"))
    event = _plain_text(facts.pop("event", ""))
    traces = [str(facts.pop(key)) for key in ("stack_info", "stack", "exception") if facts.get(key)]
    time = f"{paint('2', moment)} " if moment else ""
    parts = [
        f"{time}{paint(_COLOURS.get(level, '0'), f'{level:<8}')} {paint('36', f'{worker:<16}')} {event}",
        *(f"{paint('2', escape(key) + '=')}{_quoted(value)}" for key, value in facts.items()),
    ]
    return "\n".join(["  ".join(parts), *(f"    {line}" for trace in traces for line in _trace_lines(trace))])


@functools.lru_cache(maxsize=2)
def _time_of_day(second: int) -> str:
    return datetime.fromtimestamp(second).strftime("%H:%M:%S")


def json_line(fields: Mapping[str, Any]) -> str:
    """One JSON object: timestamp (UTC, ISO 8601), level, worker when bound, event, then the rest in its order."""
    facts = dict(fields)
    moment = datetime.fromtimestamp(facts.pop("timestamp"), tz=UTC)
    row: dict[str, object] = {"timestamp": moment.isoformat(timespec="microseconds").replace("+00:00", "Z")}
    for key in ("level", "worker", "event"):
        if key in facts:
            row[key] = _plain(facts.pop(key))
    for key, value in facts.items():
        is_trace = key in ("stack_info", "stack", "exception") and isinstance(value, str)
        row.setdefault(escape(key), "\n".join(_trace_lines(value)) if is_trace else _plain(value))
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


class _BoundedRepr(reprlib.Repr):
    """A repr that is short, ends, and never raises, whatever the worker's object does in its own."""

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 64
        self.maxstring = self.maxother = MAX_TEXT_CHARS

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= _MAX_INT_BITS else f"<int of {x.bit_length()} bits>"


_bounded = _BoundedRepr()


def _plain(value: object) -> str | int | float | bool | None:
    """What JSON can hold and no terminal trips over; objects as their repr, an exception as ``Type: text``."""
    if isinstance(value, str):
        return _cut(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int) and value.bit_length() <= _MAX_INT_BITS:
        return int(value)
    if isinstance(value, PurePath):
        return _cut(str(value))
    if isinstance(value, BaseException):
        return _cut(f"{type(value).__name__}: {value}")
    return _cut(_bounded.repr(value))


def _cut(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS]}… [cut, {len(text)} characters]"
    return escape(text)


def _plain_text(value: object) -> str:
    return str(_plain(value))


def _quoted(value: object) -> str:
    text = _plain_text(value)
    return '"' + text.replace('"', '\\"') + '"' if isinstance(value, str) and _NEEDS_QUOTES.search(text) else text


def _trace_lines(text: str) -> list[str]:
    if len(text) > MAX_TRACEBACK_CHARS:
        half = MAX_TRACEBACK_CHARS // 2
        text = f"{text[:half]}\n… [cut, {len(text)} characters]\n{text[-half:]}"
    return [escape(line) for line in text.rstrip("\n").split("\n")]
