"""`self.store` is a dict whose values are copied in and out as JSON, and refuses what is not JSON before anything changes."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from halloween_host.errors import HalloweenHostError, StoreError
from halloween_host.store import Store, Stores
from halloween_host.store._values import MOST_CHARS
from tests.strategies import json_values


@pytest.fixture
def store() -> Store:
    return Stores().of("coffin")


class Level(enum.IntEnum):
    LOW = 1


@attrs.frozen
class Guest:
    name: str


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def looped() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@given(json_values)
def test_what_goes_in_comes_out(value: Any) -> None:
    """Any JSON value, text with any character and numbers to the last bit."""
    store = Stores().of("coffin")
    store["value"] = value
    assert store["value"] == value
    assert json.dumps(store["value"]) == json.dumps(value)


def test_a_nested_change_is_not_seen(store: Store) -> None:
    """Neither in what was assigned nor in what was read: assign to change."""
    best = {"points": [1]}
    store["best"] = best
    best["points"].append(2)
    store["best"]["points"].append(3)
    store.setdefault("best", {})["points"].append(4)
    store.setdefault("new", []).append(5)
    for value in store.values():
        value.clear()
    assert store.copy() == {"best": {"points": [1]}, "new": []}
    store["best"] = {**store["best"], "name": "Vlad"}
    assert store["best"] == {"points": [1], "name": "Vlad"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({1, 2}, "a set is not JSON"),
        (b"bytes", "a bytes is not JSON"),
        (object, "a type is not JSON"),
        (Path("x"), "PosixPath is not JSON"),
        (Guest("Vlad"), "a Guest is not JSON"),
        (math.nan, "nan is no JSON number"),
        ([1, {"deep": -math.inf}], r"-inf is no JSON number at \[1\]\['deep'\]"),
        ({"guests": {1: "Vlad"}}, r"the key 1 is an int, not text at \['guests'\]"),
        ({("a", "b"): 1}, r"the key \('a', 'b'\) is a tuple, not text"),
        ({None: 1}, "the key None is a NoneType, not text"),
        ("\ud800", "a lone surrogate"),
        ({"\udc80": 1}, "a lone surrogate"),
        (nested(101), "nested deeper than 100 levels"),
        (looped(), "contains itself"),
        pytest.param(10**5000, "4300", id="a number of 5,000 digits"),
        pytest.param("x" * (MOST_CHARS + 1), "too long", id="17 million characters"),
    ],
)
def test_what_is_not_json_is_a_type_error_at_the_assignment(store: Store, value: Any, told: str) -> None:
    """It names the key and the place, it is in our tree of errors, and what stood there stands there still."""
    store["kept"] = 1
    for assign in (
        lambda: store.__setitem__("kept", value),
        lambda: store.update(other=2, kept=value),
        lambda: store.setdefault("kept", value),
    ):
        with pytest.raises(TypeError, match=told) as caught:
            assign()
        assert isinstance(caught.value, HalloweenHostError)
        assert str(caught.value).startswith("self.store['kept']: ")
        assert store.copy() == {"kept": 1}


@pytest.mark.parametrize("key", [1, None, ("a", "b"), b"a", "\ud800"])
def test_a_key_is_text(store: Store, key: Any) -> None:
    """A tuple or a number as a key would come back as something else; looking for one finds nothing, as in a dict."""
    with pytest.raises(StoreError, match=r"a key is text, not|lone surrogate"):
        store[key] = 1
    with pytest.raises(StoreError):
        store.update({"a": 1, key: 2})
    assert key not in store
    assert store.get(key) is None
    with pytest.raises(KeyError):
        del store[key]
    assert len(store) == 0


def test_what_json_can_hold_may_come_back_as_something_simpler(store: Store) -> None:
    """A tuple as a list, an IntEnum as its number."""
    store |= {"tuple": (1, (2,)), "enum": Level.LOW, "big": 10**100, "nul": "a\0b", "": None}
    assert store.copy() == {"tuple": [1, [2]], "enum": 1, "big": 10**100, "nul": "a\0b", "": None}
    assert type(store["enum"]) is int


def test_its_repr_tells_no_value(store: Store) -> None:
    """A value may be a secret, and a repr ends up in a log."""
    store["pin"] = "1031"
    assert repr(store) == "<store of coffin: 1 keys>"


def test_or_makes_a_dict(store: Store) -> None:
    """`|` is a dict's, `|=` stores."""
    store["a"] = 1
    assert store | {"b": 2} == {"a": 1, "b": 2}
    assert "b" not in store


def test_props_do_not_see_each_other() -> None:
    """One store a prop, the same one each time."""
    stores = Stores()
    stores.of("coffin")["a"] = 1
    assert stores.of("coffin")["a"] == 1
    assert stores.of("fogger").copy() == {}


keys = st.sampled_from(["a", "b", "c", "ä"])
values = st.one_of(st.none(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))


class DictMachine(RuleBasedStateMachine):
    """Whatever is done to it, a store and a dict hold the same, in the same order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Stores().of("coffin")
        self.dict: dict[str, Any] = {}

    def both(self, call: Callable[[Any], Any]) -> None:
        outcomes = []
        for each in (self.store, self.dict):
            try:
                outcomes.append(call(each))
            except KeyError as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    @rule(key=keys, value=values)
    def set(self, key: str, value: Any) -> None:
        self.both(lambda each: each.__setitem__(key, value))

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.both(lambda each: each.__delitem__(key))

    @rule(key=keys)
    def read(self, key: str) -> None:
        self.both(lambda each: (each[key], each.get(key)))

    @rule(key=keys, value=values)
    def setdefault(self, key: str, value: Any) -> None:
        self.both(lambda each: each.setdefault(key, value))

    @rule(key=keys)
    def pop(self, key: str) -> None:
        self.both(lambda each: each.pop(key))

    @rule(key=keys, value=values)
    def pop_default(self, key: str, value: Any) -> None:
        self.both(lambda each: each.pop(key, value))

    @rule()
    def popitem(self) -> None:
        self.both(lambda each: each.popitem())

    @rule(changes=st.dictionaries(keys, values, max_size=3))
    def update(self, changes: dict[str, Any]) -> None:
        self.both(lambda each: each.update(changes))

    @rule()
    def clear(self) -> None:
        self.both(lambda each: each.clear())

    @invariant()
    def same(self) -> None:
        assert list(self.store.items()) == list(self.dict.items())
        assert self.store == self.dict
        assert len(self.store) == len(self.dict)
        assert self.store.copy() == self.dict


TestDict = DictMachine.TestCase
