"""What hypothesis draws for us: JSON values, commands, topics' parts, type hints, and text that is nearly a config file."""

from __future__ import annotations

import enum
import json
import operator
from pathlib import Path
from typing import Any, Literal

import attrs
from hypothesis import strategies as st

__all__ = [
    "COLOURS",
    "HINTS",
    "Colour",
    "Lamp",
    "Level",
    "Scene",
    "actions",
    "config_texts",
    "hints",
    "json_scalars",
    "json_values",
    "near_commands",
    "payload_values",
    "prop_ids",
    "topic_keys",
    "utf8_text",
]


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@attrs.frozen
class Lamp:
    """An attrs class with a private name, defaults and an enum."""

    pin: int
    _dimmed: bool = False
    colour: Colour = Colour.RED


@attrs.frozen
class Scene:
    """An attrs class that nests others, itself among them."""

    name: str
    lamps: tuple[Lamp, ...] = ()
    levels: dict[str, float] = attrs.Factory(dict)
    next: Scene | None = None


COLOURS = Literal["red", "green", 3]

#: All text but lone surrogates, which no UTF-8 holds.
utf8_text = st.text(st.characters(codec="utf-8"))

json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | utf8_text

#: Texts on which the converter's rules turn, so that they are drawn often.
_telling = st.sampled_from(
    ["on", "No", "true", "12", "-3", "2.5", "1e3", "nan", "red", "3", "", "{}", "[1]", '{"pin": 3}']
)
_telling_keys = st.sampled_from(["pin", "dimmed", "colour", "name", "lamps", "next", "levels"])

json_values = st.recursive(
    json_scalars | _telling,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(utf8_text | _telling_keys, inner, max_size=4),
    max_leaves=15,
)

#: What a worker may publish: JSON values, and what has a JSON form.
payload_values = st.recursive(
    json_scalars | st.builds(Lamp, pin=st.integers()) | st.sampled_from(Colour) | st.sampled_from(Level),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(utf8_text, inner, max_size=4),
    max_leaves=10,
)

#: Actions as they may be sent: identifiers in which - and / stand for _.
actions = st.from_regex(r"[A-Za-z][A-Za-z0-9_/-]{0,40}", fullmatch=True) | st.sampled_from(["café", "größe", "点灯"])

_levels = st.text(
    st.characters(codec="utf-8", exclude_characters="/+#", exclude_categories=("C", "Z")), min_size=1, max_size=30
)
prop_ids = _levels.filter(lambda text: text != "worker_host" and text.isprintable())
topic_keys = st.lists(_levels, min_size=1, max_size=4).map("/".join)

#: One of each kind of hint.
HINTS: list[Any] = [
    str,
    int,
    float,
    bool,
    type(None),
    Path,
    Any,
    object,
    Colour,
    Level,
    COLOURS,
    Lamp,
    Scene,
    list,
    dict,
    tuple,
    set,
    frozenset,
    tuple[int, str],
    tuple[()],
    dict[int, str],
    dict[Colour, bool],
]


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda hint: _of(list, hint)),
        inner.map(lambda hint: _of(set, hint)),
        inner.map(lambda hint: _of(tuple, (hint, ...))),
        inner.map(lambda hint: _of(dict, (str, hint))),
        inner.map(lambda hint: operator.or_(hint, None)),
        st.tuples(inner, inner).map(lambda pair: operator.or_(*pair)),
    )


def _of(generic: Any, parameters: Any) -> Any:
    return generic[parameters]


#: Any hint that `structure` can do.
hints: st.SearchStrategy[Any] = st.recursive(st.sampled_from(HINTS), _wider, max_leaves=4)

#: Bits of JSON and YAML, parted by spaces here, and those that hold white space or are rare.
_COMMON = "a - { } [ ] , : \" ' &x *x |1 ${HOME} ${NO 1 .5 1e999 .nan NaN null true ~ \\ud800 2024-10-31 !a @ ` = 0x1F 1_0 0o7 \\"
_SPACED = (
    "b: ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "# ",
    "<<: ",
    "!!str ",
    "|\n",
    ">\n",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\r\n",
)
_RARE = ("\x85", "\ufeff", "\x00", "\u2028")
_bits = st.sampled_from([*_COMMON.split(), *_SPACED, *_RARE])

_soup = st.lists(_bits, max_size=30).map("".join)
_keys = st.sampled_from(["pin", "duration_ms", "lamps", "lid", "levels", "label", "a"])
_lines = st.lists(st.tuples(_keys, st.lists(_bits, max_size=4).map("".join)), max_size=5)
_yaml_lines = _lines.map(lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs))


def _spliced(text: str, bit: str, at: int) -> str:
    return text[: at % (len(text) + 1)] + bit + text[at % (len(text) + 1) :]


_json_objects = st.dictionaries(_keys, json_values, max_size=4).map(lambda value: json.dumps(value, indent=1))

#: Text that is nearly a config file: bits of JSON and YAML in any order, lines of them, JSON with a bit too many, any text.
config_texts = (
    _soup | _yaml_lines | _json_objects | st.builds(_spliced, _json_objects, _bits, st.integers(0)) | utf8_text
)

_BITS = b'{"action": |"args": |"ping"|ping| |{|}|[|]|,|5|NaN|\\ud800|_|-'.split(b"|")
#: Bytes made of what commands are made of.
near_commands = st.lists(st.sampled_from([*_BITS, b"\xff"]), max_size=12).map(b"".join)
