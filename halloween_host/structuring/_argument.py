"""A handler's annotation decides what it receives; text that stands for an object or a list is read as JSON first."""

from __future__ import annotations

import inspect
from typing import Any, Final

import attrs

from halloween_host.errors import PayloadError, StructureError
from halloween_host.payloads import as_text, read_json
from halloween_host.structuring._hints import LISTS, MAPPINGS, NONE, SETS, describe, kind, members
from halloween_host.structuring._misfit import Misfit, got, misfit
from halloween_host.structuring._rules import fit, fit_any_of, structure

__all__ = ["structure_argument"]

_TEXT_OR_NONE: Final = str | None


def structure_argument(args: object, hint: object) -> Any:
    """A command's `args` as the handler's annotation `hint` wants them.

    `str`, `str | None` and no hint (None) receive text: numbers, booleans, objects and lists as their JSON text. All others are
    strict; where text came, it is read as JSON for an object or a list.

    Raises:
        StructureError: when `args` do not fit; a bare `str` does not take a command without argument, ``str | None`` does.
    """
    if hint == _TEXT_OR_NONE:  # most handlers
        return _text(args)
    wanted = set(members(hint)) if hint is not inspect.Parameter.empty else {None}
    if hint is None or hint is inspect.Parameter.empty or (str in wanted and wanted <= {str, NONE}):
        if args is None and str in wanted and NONE not in wanted:
            raise StructureError((), describe(hint), "nothing")
        return _text(args)
    if not isinstance(args, str):
        return structure(args, hint)
    try:
        return fit_any_of(args, hint, _fit_text) if len(members(hint)) > 1 else _fit_text(args, hint)
    except Misfit as error:
        raise error.problems[0] from None
    except RecursionError:
        raise StructureError((), describe(hint), "something that is nested too deep") from None


def _text(args: object) -> str | None:
    try:
        return as_text(args)
    except PayloadError as error:
        raise StructureError((), "text", got(args), hint=f" ({error.reason})") from None


def _fit_text(text: object, hint: Any) -> Any:
    """`text` by one hint that is no union."""
    (hint,) = members(hint)
    if hint is None or not (attrs.has(hint) or kind(hint) in (*MAPPINGS, *LISTS, *SETS, tuple)):
        return fit(text, hint)
    try:
        value = read_json(str(text))
    except ValueError as error:
        raise misfit(text, hint, f"; as JSON: {error}") from None
    return fit(value, hint)
