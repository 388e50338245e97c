"""Whether a handler can wait at all is seen from its code: who never awaits is done as soon as it is begun."""

from __future__ import annotations

from functools import lru_cache
from inspect import CO_COROUTINE
from opcode import opmap
from types import CodeType, FunctionType, MethodType
from typing import Final

__all__ = ["never_waits"]

#: What `await`, ``async for`` and ``async with`` are made of; each opcode stands on an even byte, in caches are zeros.
_SEND: Final = opmap["SEND"]


def never_waits(function: object) -> bool:
    """Whether it is surely an ``async def`` without an `await`: it returns, or raises, before anything else has a turn."""
    if type(function) is MethodType:
        function = function.__func__
    return type(function) is FunctionType and _never_waits(function.__code__)


@lru_cache(maxsize=4096)
def _never_waits(code: CodeType) -> bool:
    return bool(code.co_flags & CO_COROUTINE) and _SEND not in code.co_code[::2]
