"""A payload on a `cmd` topic either is a command or a `CommandError`, whatever bytes come."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Final

import attrs

from halloween_host.errors import CommandError, PayloadError
from halloween_host.payloads import as_text, read_json, to_json

__all__ = ["MAX_ACTION_CHARS", "MAX_COMMAND_BYTES", "Command", "encode_command", "parse_command"]

MAX_COMMAND_BYTES: Final = 65_536
MAX_ACTION_CHARS: Final = 128

_FORMS: Final = 'send "ping hello" or {"action": "ping", "args": "hello"}'
_READ_AS_UNDERSCORE: Final = str.maketrans("-/", "__")


def _is_action(_instance: object, _attribute: object, action: Any) -> None:
    if not isinstance(action, str):
        raise CommandError(f"an action is text, got {_shown(action)}")
    if len(action) > MAX_ACTION_CHARS:
        raise CommandError(f"{action[:20]!r}… is no action: {len(action):,} characters, at most {MAX_ACTION_CHARS}")
    if action.startswith("_"):
        raise CommandError(f"{action!r} is no action: it starts with '_' (or '-' or '/')")
    if not action.isidentifier():
        raise CommandError(f"{action!r} is no action: letters, digits and '_', no digit first; {_FORMS}")


@attrs.frozen
class Command:
    """What a worker is asked to do. `action` is a Python identifier without a leading ``_``; `args` is any JSON value.

    Raises:
        CommandError: when `action` is no such identifier.
    """

    action: str = attrs.field(validator=_is_action)
    args: object = None

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
            or starts with ``_``, a JSON object without a text `action`, JSON that is broken, too deep or holds NaN.
    """
    if len(payload) > MAX_COMMAND_BYTES:
        raise CommandError(f"payload of {len(payload):,} bytes, at most {MAX_COMMAND_BYTES:,}")
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"payload is not UTF-8: byte 0x{payload[error.start]:02x} at {error.start}") from None
    words = text.removesuffix("\n").removesuffix("\r").split(None, 1)
    if not words:
        raise CommandError(f"empty payload; {_FORMS}")
    if words[0].startswith("{"):
        return _parse_object(text)
    return Command(_read(words[0]), words[1] if len(words) == 2 else None)


def encode_command(action: str, args: object = None) -> bytes:
    """``{"action": "stop", "args": null}``: always both keys, `action` as it was given.

    Raises:
        CommandError: when `action` is no identifier (``-`` and ``/`` read as ``_``) or starts with ``_``.
        PayloadError: when `args` is no JSON value, or the command is longer than `MAX_COMMAND_BYTES`.
    """
    Command(_read(action))
    payload = to_json({"action": action, "args": args}, compact=False).encode()
    if len(payload) > MAX_COMMAND_BYTES:
        raise PayloadError(args, f"the command has {len(payload):,} bytes, at most {MAX_COMMAND_BYTES:,}")
    return payload


def _read(action: str) -> str:
    if not isinstance(action, str):
        return action  # the validator says what it is
    action = action.translate(_READ_AS_UNDERSCORE)
    # As Python reads identifiers (reference, 2.3), so that an accent typed on a Mac finds its do_ method.
    return action if action.isascii() else unicodedata.normalize("NFKC", action)


def _parse_object(text: str) -> Command:
    try:
        data = read_json(text)
    except json.JSONDecodeError as error:
        raise CommandError(f"broken JSON at line {error.lineno} column {error.colno}: {error.msg}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    action = data.get("action")
    if "action" not in data:
        keys = ", ".join(repr(key)[:40] for key in list(data)[:5])
        raise CommandError(f"the JSON object has no 'action', only {keys or 'nothing'}; {_FORMS}")
    if not isinstance(action, str):
        raise CommandError(f"'action' must be text, got {_shown(action)}")
    return Command(_read(action), data.get("args"))


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a JSON object" if isinstance(value, dict) else "a JSON list"
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else repr(value)
    return f"{text:.40}"
