"""What `@action(…)` says of a handler: what happens when its command comes while it runs, how often, how long it may take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar, get_args, overload

import attrs

from halloween_host.errors import did_you_mean

__all__ = ["Manner", "Mode", "action", "manner_of"]

Mode = Literal["parallel", "drop", "restart", "queue"]

_MODES: Final = get_args(Mode)
#: Where a handler keeps it.
_ATTRIBUTE: Final = "_halloween_action"

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@attrs.frozen
class Manner:
    """How a handler wants to be called; without `@action` as in 2025: whenever its command comes, as long as it takes."""

    mode: Mode = "parallel"
    cooldown_s: float | None = None
    timeout_s: float | None = None


@overload
def action(function: HandlerT, /) -> HandlerT: ...


@overload
def action(
    *, mode: Mode = "parallel", cooldown: float | None = None, timeout: float | None = None
) -> Callable[[HandlerT], HandlerT]: ...


def action(function: Any = None, /, *, mode: Any = "parallel", cooldown: Any = None, timeout: Any = None) -> Any:
    """Put it above a ``do_<action>`` method: ``@action(mode="drop", cooldown=15.0, timeout=60.0)``.

    `mode` says what a command does that comes while the handler runs: ``"parallel"`` starts another one (the default),
    ``"drop"`` is refused, ``"queue"`` waits its turn, ``"restart"`` cancels the one that runs and begins once that has ended.
    For `cooldown` seconds from a start every further command is refused, over restarts of the worker too. A handler that
    takes longer than `timeout` seconds is cancelled, and its command has failed. `timeout` and ``mode="restart"`` need an
    ``async def``: a thread cannot be cancelled. The action ``stop`` heeds neither mode nor cool-down.

    Raises:
        TypeError: for a mode that there is not, and for seconds that are no number above 0.
    """
    if mode not in _MODES:
        modes = ", ".join(map(repr, _MODES))
        raise TypeError(
            f"@action(mode={mode!r}): no such mode{did_you_mean(str(mode), _MODES) or ';'} there are {modes}"
        )
    manner = Manner(mode, _seconds("cooldown", cooldown), _seconds("timeout", timeout))

    def mark(handler: Any) -> Any:
        bare = handler.__func__ if isinstance(handler, staticmethod | classmethod) else handler
        if not callable(bare):
            raise TypeError(f"@action stands above a do_ method, not above a {type(handler).__name__}")
        setattr(bare, _ATTRIBUTE, manner)
        return handler

    return mark if function is None else mark(function)


def manner_of(handler: object) -> Manner:
    """What `@action` said of a handler."""
    manner = getattr(handler, _ATTRIBUTE, None)
    return manner if isinstance(manner, Manner) else Manner()


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return float(value)
    raise TypeError(f"@action({name}={value!r}): seconds, a number above 0, or None")
