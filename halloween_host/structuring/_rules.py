"""Every rule of structuring: what becomes what, and nothing else does."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args, overload

import attrs

from halloween_host.errors import StructureError, did_you_mean
from halloween_host.structuring._hints import LISTS, MAPPINGS, NONE, SETS, bare, describe, kind, members, options
from halloween_host.structuring._misfit import Misfit, WrongKey, got, misfit, moved, step_of

if TYPE_CHECKING:
    from halloween_host.structuring._classes import ClassFiller

__all__ = ["fit", "fit_any_of", "forget_classes", "structure", "structure_all"]

T = TypeVar("T")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SWITCH: Final = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}


@overload
def structure(value: object, hint: type[T], *, path: tuple[str | int, ...] = ()) -> T: ...
@overload
def structure(value: object, hint: object, *, path: tuple[str | int, ...] = ()) -> Any: ...
def structure(value: object, hint: Any, *, path: tuple[str | int, ...] = ()) -> Any:
    """`value` (as JSON or YAML give it) as the type `hint`; `path` is where it stands, for the error.

    Raises:
        StructureError: for the first thing that does not fit.
        TypeError: for a hint that `check_hint` refuses.
    """
    result, problems = structure_all(value, hint)
    if problems:
        raise moved(problems[0], path)
    return result


@overload
def structure_all(value: object, hint: type[T]) -> tuple[T | None, list[StructureError]]: ...
@overload
def structure_all(value: object, hint: object) -> tuple[Any, list[StructureError]]: ...
def structure_all(value: object, hint: Any) -> tuple[Any, list[StructureError]]:
    """As `structure`, but with all problems at once; the result is None when there are any."""
    try:
        return fit(value, hint), []
    except Misfit as error:
        return None, list(error.problems)
    except RecursionError:
        return None, [StructureError((), describe(hint), "something that is nested too deep")]


def fit(value: object, hint: Any) -> Any:
    """The dispatch. Raises Misfit."""
    hint = bare(hint)
    if hint is None:
        return value
    if len(members(hint)) > 1:
        return fit_any_of(value, hint, fit)
    one_of = options(hint)
    if one_of is not None:
        return _fit_option(value, hint, one_of)
    if attrs.has(hint):
        return _filler().fit(value, hint)
    rule = _RULES.get(kind(hint))
    if rule is None:
        raise TypeError(f"cannot structure {hint!r}")
    return rule(value, hint)


def fit_any_of(value: object, hint: Any, fit_one: Callable[[object, Any], Any]) -> Any:
    """The first member of a union that takes the value; None goes to None first. Raises Misfit."""
    wanted = members(hint)
    if value is None and NONE in wanted:
        return None
    misfits = []
    for member in wanted:
        try:
            return fit_one(value, member)
        except Misfit as error:
            misfits.append(error)
    deeper = [each for each in misfits if each.problems[0].path]
    others = [each for member, each in zip(wanted, misfits, strict=True) if member is not NONE]
    if len(deeper) == 1:  # one member is of the value's kind: what is wrong inside it says more
        raise deeper[0]
    raise (
        others[0] if len(others) == 1 and not others[0].problems[0].path and NONE not in wanted else misfit(value, hint)
    )


def _fit_option(value: object, hint: Any, one_of: tuple[tuple[object, object], ...]) -> object:
    for option, result in one_of:
        if type(value) is type(option) and value == option:
            return result
    for option, result in one_of:
        if isinstance(value, str) and not isinstance(option, str) and value == _text_of(option):
            return result
    known = [option for option, _ in one_of if isinstance(option, str)]
    raise misfit(value, hint, did_you_mean(value, known) if isinstance(value, str) else "")


def _text_of(option: object) -> str:
    return "null" if option is None else str(option).lower() if isinstance(option, bool) else str(option)


def _fit_text(value: object, hint: Any) -> str:
    if isinstance(value, str):
        return value
    more = f'; put it in quotes: "{got(value)}"' if isinstance(value, bool | int | float) else ""
    raise misfit(value, hint, more)


def _fit_whole(value: object, hint: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 1_000 and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise misfit(value, hint)


def _fit_number(value: object, hint: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_number = is_number or (isinstance(value, str) and _NUMBER.fullmatch(value.strip()) is not None)
    try:
        number = float(cast(Any, value)) if is_number else math.nan
    except OverflowError:  # an int past 1e308
        number = math.inf
    if not math.isfinite(number):
        raise misfit(value, hint)
    return number


def _fit_switch(value: object, hint: Any) -> bool:
    if isinstance(value, bool):
        return value
    switched = _SWITCH.get(value.strip().lower()) if isinstance(value, str) else None
    if switched is None:
        raise misfit(value, hint, "; write true or false")
    return switched


def _fit_none(value: object, hint: Any) -> None:
    if value is not None:
        raise misfit(value, hint)


def _fit_path(value: object, hint: Any) -> Path:
    if not isinstance(value, str):
        raise misfit(value, hint)
    return Path(value)


def _fit_mapping(value: object, hint: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise misfit(value, hint)
    key_hint, value_hint = get_args(hint) or (None, None)
    keys = [_fit_key(key, key_hint) for key in value]
    return dict(zip(keys, _fit_each((key, each, value_hint) for key, each in value.items()), strict=True))


def _fit_key(key: object, hint: Any) -> Any:
    try:
        return fit(key, hint)
    except Misfit as error:
        problem = error.problems[0]
        raise Misfit(
            WrongKey((step_of(key),), f"{problem.expected} as a key", problem.got, hint=problem.hint)
        ) from None


def _fit_list(value: object, hint: Any) -> list[Any]:
    (each_hint,) = get_args(hint) or (None,)
    return _fit_elements(value, hint, each_hint)


def _fit_elements(value: object, hint: Any, each_hint: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise misfit(value, hint)
    return _fit_each((index, each, each_hint) for index, each in enumerate(value))


def _fit_tuple(value: object, hint: Any) -> tuple[Any, ...]:
    parameters: tuple[Any, ...] = get_args(hint)
    if hint is tuple or parameters[1:] == (Ellipsis,):
        return tuple(_fit_elements(value, hint, parameters[0] if parameters else None))
    if not isinstance(value, list | tuple) or len(value) != len(parameters):
        raise misfit(value, hint, f" of {len(value)}" if isinstance(value, list | tuple) and value else "")
    return tuple(_fit_each((index, *each) for index, each in enumerate(zip(value, parameters, strict=True))))


def _fit_set(value: object, hint: Any) -> set[Any] | frozenset[Any]:
    elements = _fit_list(value, hint)
    try:
        return frozenset(elements) if kind(hint) is frozenset else set(elements)
    except TypeError:
        raise misfit(value, hint, " with a list or an object in it") from None


def _fit_each(items: Iterable[tuple[Any, object, Any]]) -> list[Any]:
    """All values, each by its hint, or all their problems."""
    results, problems = [], []
    for step, value, hint in items:
        try:
            results.append(fit(value, hint))
        except Misfit as error:
            problems += [moved(problem, (step_of(step),)) for problem in error.problems]
    if problems:
        raise Misfit(*problems)
    return results


_RULES: Final[Mapping[Any, Callable[[object, Any], Any]]] = {
    str: _fit_text,
    int: _fit_whole,
    float: _fit_number,
    bool: _fit_switch,
    NONE: _fit_none,
    Path: _fit_path,
    tuple: _fit_tuple,
    **dict.fromkeys(MAPPINGS, _fit_mapping),
    **dict.fromkeys(LISTS, _fit_list),
    **dict.fromkeys(SETS, _fit_set),
}


@functools.cache
def _filler() -> ClassFiller:
    """Made for the first attrs class: cattrs is a third of what an import of this package took."""
    from halloween_host.structuring._classes import ClassFiller

    return ClassFiller(fit)


def forget_classes() -> None:
    """Let go of the attrs classes that were filled so far: some may be of code that is gone. Others are learned again."""
    _filler.cache_clear()
