"""A pump outlives the cancellation of the client's body, so that DISCONNECT still goes out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

__all__ = ["shielded"]

Pump = Callable[[Any], Coroutine[Any, Any, None]]


def shielded(pump: Pump) -> Pump:
    """The method of that name, under a shield."""

    @functools.wraps(pump)
    async def run(self: object) -> None:
        with anyio.CancelScope(shield=True):
            await pump(self)

    return run
