"""What does not fit, where, what was expected and what stands there: the words of every refusal."""

from __future__ import annotations

from typing import Any

from halloween_host.errors import StructureError
from halloween_host.structuring._hints import describe

__all__ = ["Misfit", "WrongKey", "got", "misfit", "moved", "step_of"]


class WrongKey(StructureError):
    """Not the value is wrong but its key: nobody knows it, or it is of the wrong type."""


class Misfit(Exception):
    """A value does not fit: all problems in it, their paths from that value on."""

    def __init__(self, *problems: StructureError) -> None:
        self.problems = problems


def misfit(value: object, hint: Any, more: str = "") -> Misfit:
    return Misfit(StructureError((), describe(hint), got(value), hint=more))


def got(value: object) -> str:
    """What stands there, in a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list | tuple):
        return ("an object" if isinstance(value, dict) else "a list") if value else f"an empty {_word(value)}"
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # sys.set_int_max_str_digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _word(value: object) -> str:
    return "object" if isinstance(value, dict) else "list"


def step_of(key: object) -> str | int:
    """A key as a step of a path: text and numbers as they are."""
    return key if isinstance(key, str | int) and not isinstance(key, bool) else str(key)


def moved(error: StructureError, path: tuple[str | int, ...]) -> StructureError:
    """The same problem, seen from further out."""
    return type(error)(path + error.path, error.expected, error.got, hint=error.hint)
