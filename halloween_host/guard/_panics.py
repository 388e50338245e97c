"""A panic is understood whatever else is wrong with its payload: nobody types well while a child stands in the scene."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from halloween_host.commands import Command, encode_command
from halloween_host.errors import CommandError, PayloadError
from halloween_host.latch import PanicRecord

__all__ = ["encode_panic", "panic_arguments", "panic_for", "read_panic"]

_PANIC: Final = "panic"


def read_panic(payload: bytes) -> Command | None:
    """The panic that `payload` asks for, None for any other command; its `args` are ``{"reason", "by"}``.

    More is taken than `parse_command` takes: ``PANIC!``, a reason in Latin-1, JSON whose `ts`, `ttl` or `id` is of a wrong
    type (a panic ignores them). What comes out has a form in JSON.
    """
    if _PANIC.encode() not in payload.lower():
        return None
    text = payload.decode(errors="replace")
    words = text.split(None, 1)
    if words[0].startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not _is_panic(data.get("action")):
            return None
        args, id_ = data.get("args"), data.get("id")
    elif _is_panic(words[0]):
        args, id_ = (words[1] if len(words) == 2 else None), None
    else:
        return None
    reason, by = panic_arguments(args)
    return _command(reason, by, id_)


def encode_panic(command: Command) -> bytes:
    """The payload, as any host takes it, of what `read_panic` returned."""
    return encode_command(command.action, command.args, id=command.id)


def panic_for(reason: str, by: str) -> bytes:
    """The payload of a panic that a prop asks for."""
    return encode_panic(_command(reason, by, None))


def panic_arguments(args: object) -> tuple[str, str]:
    """The reason of a panic and who asked for it: plain text, or an object with `reason` and `by` (our command line's)."""
    if isinstance(args, dict):
        return str(args.get("reason") or ""), str(args.get("by") or "mqtt")
    return (args if isinstance(args, str) else ""), "mqtt"


def _is_panic(action: object) -> bool:
    return isinstance(action, str) and action.rstrip("!").casefold() == _PANIC


def _command(reason: str, by: str, id_: Any) -> Command:
    clean = PanicRecord(0.0, reason, by)
    args = {"reason": clean.reason, "by": clean.by}
    if isinstance(id_, float) and not math.isfinite(id_):
        id_ = None
    try:
        command = Command(_PANIC, args, id_)
        encode_panic(command)
    except (CommandError, PayloadError, ValueError):  # an object, a number of a thousand digits, lone surrogates
        return Command(_PANIC, args)
    return command
