"""Classes to structure into, and the oracle: whether a value is of the type that a hint says."""

from __future__ import annotations

import math
import types
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar, Union, get_args, get_origin

import attrs
from attrs import validators
from cattrs import override

T = TypeVar("T")
Pin = NewType("Pin", int)


@attrs.frozen
class Range(Generic[T]):
    low: T
    high: T


@attrs.frozen
class Fogger:
    """What a haunt builder might write."""

    duration_ms: int = attrs.field(validator=validators.gt(0))
    mode: Literal["burst", "steady"] = "burst"
    label: str = ""
    pin: Annotated[int, override(rename="gpio")] = 4
    _power: float = 1.0
    computed: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        if self.label == self.mode:
            raise ValueError("label and mode must differ")


class Nested:
    @attrs.frozen
    class Inner:
        pin: int

    @attrs.frozen
    class Outer:
        inner: Nested.Inner


def is_a(value: object, hint: Any) -> bool:
    """Whether `value` is of the type `hint`: the oracle, written apart from the code."""
    origin = get_origin(hint) or hint
    parameters = get_args(hint)
    if hint in (Any, object):
        return True
    if origin in (Union, types.UnionType):
        return any(is_a(value, each) for each in parameters)
    if origin is Literal:
        return any(value is each or (type(value) is type(each) and value == each) for each in parameters)
    if origin in (int, float):
        return type(value) is origin and (origin is int or math.isfinite(value))  # type: ignore[arg-type]
    if not isinstance(value, origin):
        return False
    if origin is dict and parameters:
        return all(is_a(key, parameters[0]) and is_a(each, parameters[1]) for key, each in value.items())
    if origin is tuple and (hint == tuple[()] or (parameters and parameters[-1] is not ...)):
        return len(value) == len(parameters) and all(map(is_a, value, parameters))
    if origin in (list, tuple, set) and parameters:
        return all(is_a(each, parameters[0]) for each in value)
    if attrs.has(origin):
        return all(is_a(getattr(value, field.name), field.type) for field in attrs.fields(attrs.resolve_types(origin)))
    return True
