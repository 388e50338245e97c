"""The terms a worker runs under: its seconds and counts, and whether it has a connection of its own."""

from __future__ import annotations

import sys
from typing import Any, Final

import attrs

__all__ = ["MOST", "Terms"]

#: The largest count that is one.
MOST: Final = 1_000_000


def _above_zero(terms: Terms, field: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value <= sys.float_info.max:  # neither infinite nor NaN, nor an int that is no float
        raise ValueError(f"{field.name!r} must be seconds, a number above 0")


def _a_count(terms: Terms, field: attrs.Attribute[Any], value: int) -> None:
    if not 1 <= value <= MOST:
        raise ValueError(f"{field.name!r} must be a whole number from 1 to {MOST}")


@attrs.frozen
class Terms:
    """What a supervisor goes by. The environment's hold for all workers, a class attribute and the config's `host:` for one.

    `presence`: True has a connection of its own before others, False has none, None has one while there are any left.
    `isolate`: it runs in a process of its own.
    """

    start_timeout_s: float = attrs.field(default=30.0, validator=_above_zero)
    stop_timeout_s: float = attrs.field(default=5.0, validator=_above_zero)
    safe_timeout_s: float = attrs.field(default=1.0, validator=_above_zero)
    restart_limit: int = attrs.field(default=5, validator=_a_count)
    restart_window_s: float = attrs.field(default=60.0, validator=_above_zero)
    mailbox_capacity: int = attrs.field(default=10_000, validator=_a_count)
    isolate: bool = False
    presence: bool | None = None
