"""What a rehearsal waits for, and whether a payload is it."""

from __future__ import annotations

import json
from typing import Final

__all__ = ["ANYTHING", "fits"]


class _Any:
    def __repr__(self) -> str:
        return "anything"


#: What `Show.expect` takes for any value.
ANYTHING: Final = _Any()


def fits(text: str, value: object) -> bool:
    """Whether `text` equals `value`, holds it as JSON, or is what `value`, a function of the text, says it is."""
    if value is ANYTHING or text == value:
        return True
    if callable(value):
        return bool(value(text))
    if isinstance(value, str):
        return False
    try:
        return bool(json.loads(text) == value)
    except ValueError:
        return False
