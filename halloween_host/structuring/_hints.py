"""A type hint is of a kind that we can structure, or it is refused when the worker is loaded, not when a command comes."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

import attrs

__all__ = [
    "LISTS",
    "MAPPINGS",
    "NONE",
    "SETS",
    "bare",
    "check_hint",
    "describe",
    "fields",
    "kind",
    "members",
    "options",
    "quoted",
]

NONE: Final = type(None)
MAPPINGS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
LISTS: Final = (list, collections.abc.Sequence, collections.abc.MutableSequence)
SETS: Final = (set, frozenset, collections.abc.Set)

_SCALARS: Final = {str: "text", int: "whole number", float: "number", bool: "on/off", NONE: "nothing", Path: "path"}
_SUPPORTED: Final = (
    "use str, int, float, bool, Enum, Literal, Path, list, tuple, set, dict, an attrs class or unions of them"
)


def bare(hint: Any) -> Any:
    """The hint below `Annotated`, `NewType` and ``type X = …``; None (no hint) for `Any` and `object`."""
    while True:
        if get_origin(hint) is typing.Annotated:
            hint = get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # typing's or typing_extensions', which nobody else needs
            hint = hint.__value__
        else:
            return None if hint is Any or hint is object else hint


def members(hint: Any) -> tuple[Any, ...]:
    """The members of a union in written order, unions in it taken apart; of any other hint, itself."""
    hint = bare(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(each for member in get_args(hint) for each in members(member))
    return (hint,)


def kind(hint: Any) -> Any:
    """What decides how a bare hint is structured: its class without parameters, `Literal`, or None for anything goes."""
    return get_origin(hint) or hint


def options(hint: Any) -> tuple[tuple[object, object], ...] | None:
    """Of an Enum or a Literal: each option's value, and what it becomes. None for other hints."""
    if kind(hint) is Literal:
        return tuple((each.value if isinstance(each, enum.Enum) else each, each) for each in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return tuple((each.value, each) for each in hint)
    return None


def quoted(words: collections.abc.Iterable[object]) -> str:
    """``'a', 'b'``, a dozen at most."""
    listed = [repr(word) for word in words]
    return ", ".join(listed[:12]) + (f" and {len(listed) - 12} more" if len(listed) > 12 else "")


def describe(hint: Any) -> str:
    """A hint in a few words for people who write no Python."""
    hint = bare(hint)
    if len(members(hint)) > 1:
        return " or ".join(dict.fromkeys(describe(member) for member in members(hint)))
    one_of = options(hint)
    if one_of is not None:
        words = quoted(value for value, _ in one_of)
        return f"one of {words}" if len(one_of) > 1 else words
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is None:
        return "anything"
    if attrs.has(hint):
        return f"an object with {quoted(field.alias for field in fields(hint) if field.init) or 'no keys'}"
    parameters = [parameter for parameter in get_args(hint) if parameter is not Ellipsis]
    if kind(hint) in MAPPINGS:
        return f"an object, each value {describe(parameters[1])}" if parameters and bare(parameters[1]) else "an object"
    if kind(hint) is tuple and parameters and Ellipsis not in get_args(hint):
        return f"a list of {len(parameters)} ({', '.join(map(describe, parameters))})"
    if kind(hint) in (*LISTS, *SETS, tuple):
        return f"a list, each {describe(parameters[0])}" if parameters and bare(parameters[0]) else "a list"
    return "a value"


def fields(hint: Any) -> tuple[attrs.Attribute[Any], ...]:
    """The fields of an attrs class (maybe with parameters), their types resolved, also by names that stand in the class."""
    cls = kind(hint)
    attrs.resolve_types(cls, localns=dict(vars(cls)))
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(cls)
    return found


def check_hint(hint: Any) -> None:
    """Do nothing for a hint that `structure` can do.

    Raises:
        TypeError: for all others; it says what to use, and names the field when the hint stands in an attrs class.
    """
    try:
        _check(hint, set())
    except RecursionError:
        raise TypeError(f"{hint!r} refers to itself; use an attrs class for that") from None


def _check(hint: Any, seen: set[Any]) -> None:
    for member in members(hint):
        if not _hashable(member):
            raise TypeError(f"{member!r} is no type; {_SUPPORTED}")
        parameters = [each for each in get_args(member) if each is not Ellipsis]
        if member is None or member in _SCALARS or options(member) is not None:
            continue
        if attrs.has(member):
            _check_class(member, seen)
        elif kind(member) not in (*MAPPINGS, *LISTS, *SETS, tuple):
            raise TypeError(f"{_name(member)} is no type that a value can be made into; {_SUPPORTED}")
        for parameter in parameters:
            _check(parameter, seen)


def _check_class(hint: Any, seen: set[Any]) -> None:
    if hint in seen:
        return
    seen.add(hint)
    cls = kind(hint)
    if getattr(hint, "__parameters__", ()):
        raise TypeError(f"{cls.__name__} needs its parameters, such as {cls.__name__}[int]")
    try:
        found = fields(hint)
    except Exception as error:  # an annotation is the author's code: it may raise anything
        raise TypeError(f"{cls.__name__}: its annotations cannot be resolved: {error}") from error
    for field in found:
        if field.init and not isinstance(field.type, typing.TypeVar):  # a variable's value is checked as a parameter
            try:
                _check(field.type, seen)
            except TypeError as error:
                raise TypeError(f"{cls.__name__}.{field.name}: {error}") from None


def _hashable(hint: Any) -> bool:
    return isinstance(hint, collections.abc.Hashable)


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else repr(hint)
