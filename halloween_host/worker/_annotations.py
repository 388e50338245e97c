"""A handler's annotations mean what `typing.get_type_hints` says; a text such as ``str | None`` is compiled once for all handlers.

`get_type_hints` compiles every text again, which for a thousand workers takes a third of what loading them takes. What a text
means depends on the scopes of its handler, so only texts whose names mean there what they mean everywhere are remembered.
"""

from __future__ import annotations

import builtins
import functools
import re
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import attrs

__all__ = ["Hints", "resolve"]

#: Names, ``|`` and brackets: nothing that is evaluated later, in scopes of its own, or a text in the text.
_SIMPLE: Final = re.compile(r"[\w .,|\[\]]+")
#: What names of such texts mean, unless a handler's scopes say otherwise.
_MEANINGS: Final[Mapping[str, Any]] = {**vars(builtins), "Any": Any, "Path": Path}


@attrs.frozen
class Hints:
    """By parameter, and "return"; `common` when they mean the same in every module: then they hold nothing of an author's."""

    by_name: Mapping[str, Any]
    common: bool


def resolve(function: Callable[..., Any], owner: type) -> Hints:
    """All annotations of a function (below its decorators) in `owner`, whose names they may use. Raises whatever evaluating them raises."""
    annotations = getattr(function, "__annotations__", None) or {}
    scopes = (vars(owner), getattr(function, "__globals__", {}), vars(builtins))
    if not getattr(function, "__type_params__", ()):
        hints = {}
        for name, text in annotations.items():
            known = _known(text) if isinstance(text, str) else None
            if known is None or not all(_means(each, scopes) for each in known.names):
                break
            hints[name] = known.hint
        else:
            return Hints(hints, common=True)
    return Hints(typing.get_type_hints(function, localns=dict(vars(owner))), common=False)


@attrs.frozen
class _Known:
    """What a text means where its names mean what they mean everywhere."""

    names: tuple[str, ...]
    hint: Any


@functools.lru_cache(maxsize=512)
def _known(text: str) -> _Known | None:
    if _SIMPLE.fullmatch(text) is None:
        return None
    try:
        names = compile(text, "<annotation>", "eval").co_names
        holder = SimpleNamespace(__annotations__={"it": text})
        return _Known(names, typing.get_type_hints(holder, globalns=dict(_MEANINGS))["it"])
    except Exception:  # noqa: BLE001 said where it is resolved in its own scopes
        return None


def _means(name: str, scopes: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether the first scope that has the name means what is meant everywhere."""
    for scope in scopes:
        if name in scope:
            return scope[name] is _MEANINGS.get(name)
    return False
