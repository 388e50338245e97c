"""A payload on a `cmd` topic either is a command or a `CommandError`, whatever bytes come."""

from __future__ import annotations

import json
import sys
import unicodedata
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NoReturn

import attrs

from halloween_host.errors import CommandError, PayloadError
from halloween_host.payloads import as_text, read_json, to_json

__all__ = [
    "DEFAULT_TTL_S",
    "MAX_ACTION_CHARS",
    "MAX_COMMAND_BYTES",
    "MAX_ID_CHARS",
    "MAX_SKEW_S",
    "Command",
    "encode_command",
    "parse_command",
    "remaining_s",
]

MAX_COMMAND_BYTES: Final = 65_536
MAX_ACTION_CHARS: Final = 128
MAX_ID_CHARS: Final = 128
#: Seconds that a command is worth something, when its sender named an id and no time to live.
DEFAULT_TTL_S: Final = 5.0
#: Seconds that a sender's clock may be ahead of ours.
MAX_SKEW_S: Final = 30.0
#: Actions remembered as good or bad: the same few come again and again.
ACTIONS_KEPT: Final = 1_024

_FORMS: Final = 'send "ping hello" or {"action": "ping", "args": "hello"}'
_READ_AS_UNDERSCORE: Final = str.maketrans("-/", "__")


@attrs.define  # frozen, making one would take twice as long, and there is one a message
class Command:
    """What a worker is asked to do. `action` is a Python identifier without a leading ``_``; `args` is any JSON value.

    With an `id` its outcome is told in acks, and it runs once however often it comes. `ts` is when it was sent (Unix seconds),
    `ttl` how many seconds it is worth something. Not to be changed.

    Raises:
        CommandError: when `action` is no such identifier, `id` no text or number of at most `MAX_ID_CHARS` characters, `ts` or
            `ttl` no number of 0 or more.
    """

    action: str
    args: object = None
    id: str | int | float | None = None
    ts: float | None = None
    ttl: float | None = None

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.action, str) or len(self.action) > MAX_ACTION_CHARS or not _is_action(self.action):
            _refuse_action(self.action)
        if self.id is not None:
            _check_id(self.id)
        if self.ts is not None:
            _check_seconds("ts", self.ts)
        if self.ttl is not None:
            _check_seconds("ttl", self.ttl)

    @property
    def text(self) -> str | None:
        """What a handler that takes text receives: text as it is, None for none, all else as compact JSON text."""
        return as_text(self.args)


def parse_command(payload: bytes) -> Command:
    """Read a JSON object with a text `action` (and `args`), or ``<action> <rest>``; nothing else is a command.

    ``-`` and ``/`` in an action read as ``_``. A line end at the very end of plain text is no part of the argument
    (``echo ping hello | mosquitto_pub -s``).

    Raises:
        CommandError: for all other bytes: empty, not UTF-8, over `MAX_COMMAND_BYTES`, an action that is no identifier
            or starts with ``_``, a JSON object without a text `action`, JSON that is broken, too deep or holds NaN, an `id`,
            `ts` or `ttl` of a wrong type (null is none). It has the `id`, where the object has one, so that it can be answered.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        raise CommandError(f"payload of {len(payload):,} bytes, at most {MAX_COMMAND_BYTES:,}")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"payload is not UTF-8: byte 0x{payload[error.start]:02x} at {error.start}") from None
    if text[:1] == "{":
        return _parse_object(text)
    words = text.removesuffix("\n").removesuffix("\r").split(None, 1)
    if not words:
        raise CommandError(f"empty payload; {_FORMS}")
    if words[0].startswith("{"):
        return _parse_object(text)
    return Command(_read(words[0]), words[1] if len(words) == 2 else None)


def encode_command(
    action: str,
    args: object = None,
    *,
    id: str | int | float | None = None,
    ts: float | None = None,
    ttl: float | None = None,
) -> bytes:
    """``{"action": "stop", "args": null}``: always both keys, `action` as it was given; `id`, `ts` and `ttl` where given.

    Raises:
        CommandError: as `Command` (``-`` and ``/`` in an action read as ``_``).
        PayloadError: when `args` is no JSON value, or the command is longer than `MAX_COMMAND_BYTES`.
    """
    Command(_read(action), None, id, ts, ttl)
    extra = {key: value for key, value in (("id", id), ("ts", ts), ("ttl", ttl)) if value is not None}
    payload = to_json({"action": action, "args": args, **extra}, compact=False).encode()
    if len(payload) > MAX_COMMAND_BYTES:
        raise PayloadError(args, f"the command has {len(payload):,} bytes, at most {MAX_COMMAND_BYTES:,}")
    return payload


def remaining_s(command: Command, now: float) -> float | None:
    """Seconds that a command which arrives at `now` (Unix seconds) is still worth something; None for as long as it likes.

    A `ttl` without `ts` counts from its arrival.

    Raises:
        CommandError: when it is too old, or its sender's clock is more than `MAX_SKEW_S` ahead of ours.
    """
    if command.ts is not None and command.ts - now > MAX_SKEW_S:
        ahead = f"its ts is {command.ts - now:,.0f} s ahead of this host's clock"
        raise CommandError(f"refused, clock skew: {ahead} (at most {MAX_SKEW_S:g} s)", action=command.action)
    if command.ttl is None:
        return None
    age = max(0.0, now - command.ts) if command.ts is not None else 0.0
    if age > command.ttl:
        raise CommandError(f"refused, it is {age:,.1f} s old and was worth {command.ttl:g} s", action=command.action)
    return command.ttl - age


def _read(action: str) -> str:
    if not isinstance(action, str):
        return action  # `Command` says what it is
    if not action.isascii():
        # As Python reads identifiers (reference, 2.3), so that an accent typed on a Mac finds its do_ method.
        return unicodedata.normalize("NFKC", action.translate(_READ_AS_UNDERSCORE))
    return action if action.isidentifier() else action.translate(_READ_AS_UNDERSCORE)


@lru_cache(ACTIONS_KEPT)
def _is_action(action: str) -> bool:
    return action.isidentifier() and not action.startswith("_")


def _refuse_action(action: Any) -> NoReturn:
    if not isinstance(action, str):
        raise CommandError(f"an action is text, got {_shown(action)}")
    if len(action) > MAX_ACTION_CHARS:
        raise CommandError(f"{action[:20]!r}… is no action: {len(action):,} characters, at most {MAX_ACTION_CHARS}")
    if action.startswith("_"):
        raise CommandError(f"{action!r} is no action: it starts with '_' (or '-' or '/')")
    raise CommandError(f"{action!r} is no action: letters, digits and '_', no digit first; {_FORMS}")


def _check_id(id_: Any) -> None:
    if isinstance(id_, bool) or not isinstance(id_, str | int | float):
        raise CommandError(f"an id is text or a number, got {_shown(id_)}")
    # not str() of any number: Python refuses to write a very long one
    if (isinstance(id_, int) and abs(id_) >= 10**MAX_ID_CHARS) or len(str(id_)) > MAX_ID_CHARS:
        raise CommandError(f"an id has at most {MAX_ID_CHARS} characters")


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise CommandError(f"{name!r} is seconds, a number of 0 or more, got {_shown(value)}")


def _parse_object(text: str) -> Command:
    try:
        data = read_json(text)
    except json.JSONDecodeError as error:
        raise CommandError(f"broken JSON at line {error.lineno} column {error.colno}: {error.msg}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    try:
        action = data.get("action")
        if not isinstance(action, str):
            _refuse_object(data)
        return Command(_read(action), data.get("args"), data.get("id"), data.get("ts"), data.get("ttl"))
    except CommandError as error:
        with suppress(CommandError):
            if (id_ := data.get("id")) is not None:
                _check_id(id_)
            error.id = id_
        raise


def _refuse_object(data: dict[str, Any]) -> NoReturn:
    if "action" in data:
        raise CommandError(f"'action' must be text, got {_shown(data['action'])}")
    keys = ", ".join(repr(key)[:40] for key in list(data)[:5])
    raise CommandError(f"the JSON object has no 'action', only {keys or 'nothing'}; {_FORMS}")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a JSON object" if isinstance(value, dict) else "a JSON list"
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else repr(value)
    return f"{text:.40}"
