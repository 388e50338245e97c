"""An ack says what became of a command: taken, then done, failed, refused or cancelled. Pure, either way."""

from __future__ import annotations

import json
from typing import Final, Literal, cast, get_args

import attrs

from halloween_host.errors import PayloadError
from halloween_host.payloads import read_json, to_json

__all__ = ["MAX_ERROR_CHARS", "Ack", "Outcome", "encode_ack", "parse_ack"]

#: What is longer is cut off.
MAX_ERROR_CHARS: Final = 1_000

Outcome = Literal["accepted", "done", "failed", "refused", "cancelled"]

_OUTCOMES: Final = get_args(Outcome)


@attrs.frozen
class Ack:
    """`command` is the action's name, None when the payload was no command; `took_ms` counts from the handler's start.

    The field is `command` and never `action`, so that no ack can be read as a command.
    """

    id: str | int | float | None
    command: str | None
    outcome: Outcome
    error: str | None = None
    result: object = None
    took_ms: int | None = None


def encode_ack(ack: Ack) -> bytes:
    """All six keys as compact JSON. A result that has no JSON form leaves `null`, and `error` says so; the outcome stays."""
    values = attrs.asdict(ack, recurse=False)
    if ack.error is not None:  # an author's words, which need be no UTF-8
        values["error"] = ack.error.encode(errors="backslashreplace").decode()[:MAX_ERROR_CHARS]
    try:
        return to_json(values).encode()
    except Exception as error:  # noqa: BLE001 the result is the author's: what it is made of may raise anything as it is written
        text = str(error) if isinstance(error, PayloadError) else f"cannot be written: {type(error).__name__}"
        return to_json({**values, "result": None, "error": values["error"] or f"the result: {text}"}).encode()


def parse_ack(payload: bytes) -> Ack:
    """Read what `encode_ack` wrote; keys may be missing but for `outcome`, and foreign ones are ignored.

    Raises:
        PayloadError: for anything else.
    """
    try:
        values = read_json(payload.decode())
    except (UnicodeDecodeError, json.JSONDecodeError, ValueError) as broken:
        raise PayloadError(payload, f"no ack: {broken}") from None
    if not isinstance(values, dict) or values.get("outcome") not in _OUTCOMES:
        raise PayloadError(payload, f"no ack: a JSON object with an outcome of {', '.join(_OUTCOMES)}")
    id_, command, error, took_ms = (values.get(key) for key in ("id", "command", "error", "took_ms"))
    return Ack(
        id_ if isinstance(id_, str | int | float) else None,
        command if isinstance(command, str) else None,
        cast(Outcome, values["outcome"]),
        error if isinstance(error, str) else None,
        values.get("result"),
        took_ms if isinstance(took_ms, int) else None,
    )
