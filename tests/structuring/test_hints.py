"""Hints: each is taken and has words, or is refused at load with what to use instead."""

from __future__ import annotations

import collections.abc
import enum
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given

from halloween_host.structuring import check_hint, describe
from tests.strategies import HINTS, Lamp, hints
from tests.structuring.models import Range, T


@attrs.frozen
class Unresolved:
    lamp: NoSuchName  # type: ignore[name-defined] # noqa: F821 that is the point


@given(hints)
def test_every_hint_has_words(hint: Any) -> None:
    """`describe` says something about each hint that we take."""
    assert describe(hint)


@pytest.mark.parametrize("hint", HINTS, ids=describe)
def test_hints_that_we_take(hint: Any) -> None:
    """`check_hint` is silent about them."""
    check_hint(hint)


class Odd(enum.Enum):
    A = object()


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (bytes, "bytes is no type that a value can be made into; use str, int"),
        (complex, "complex is no type"),
        (list[bytes], "bytes is no type"),
        (dict[str, set[bytes]], "bytes is no type"),
        (collections.abc.Callable[[], int], "collections.abc.Callable[[], int] is no type"),
        ([int], "[<class 'int'>] is no type; use"),
        ("Lamp", "'Lamp' is no type"),
        (T, "~T is no type"),
        (Range, "Range needs its parameters, such as Range[int]"),
        (Range[bytes], "bytes is no type"),
        (Unresolved, "Unresolved: its annotations cannot be resolved: name 'NoSuchName' is not defined"),
        (attrs.make_class("Sound", {"raw": attrs.field(type=bytes)}), "Sound.raw: bytes is no type"),
    ],
    ids=repr,
)
def test_hints_that_we_refuse(hint: Any, said: str) -> None:
    """A hint that no value can fit is told at load, with the field when it stands in a class, and what to use."""
    with pytest.raises(TypeError) as caught:
        check_hint(hint)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "whole number"),
        (float, "number"),
        (bool, "on/off"),
        (str | None, "text or nothing"),
        (Literal["a", "b"], "one of 'a', 'b'"),
        (Literal["a"], "'a'"),
        (list[int], "a list, each whole number"),
        (dict[str, bool], "an object, each value on/off"),
        (tuple[int, str], "a list of 2 (whole number, text)"),
        (tuple[int, ...], "a list, each whole number"),
        (Any, "anything"),
        (Lamp, "an object with 'pin', 'dimmed', 'colour'"),
        pytest.param(Odd, repr(Odd.A.value), id="an enum of objects"),
    ],
)
def test_words_for_hints(hint: Any, words: str) -> None:
    """Short, for people who write no Python."""
    assert describe(hint) == words
