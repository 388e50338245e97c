"""YAML 1.2 read to plain values and nothing else: no dates, no classes, no key twice; every key and value with its place.

ruamel.yaml parses to nodes; values are made here, since its own loaders make dates and drop the places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from halloween_host.config._loaded import Document, Lines, Place, Steps
from halloween_host.payloads import MAX_JSON_DEPTH
from halloween_host.structuring import step_of

__all__ = ["parse_yaml"]

Fail = Callable[[str, int, int], NoReturn]

#: What aliases may repeat, in nodes: nine lines of them can stand for a billion ("billion laughs").
_MAX_REPEATED: Final = 10_000
_CORE: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_CORE}merge"

#: ruamel's words → what a person can do about it.
_ADVICE: Final[Mapping[str, str]] = {
    r"character '\t'": "this is a tab; indent with spaces",
    "mapping values are not allowed": 'put text that holds ": " in quotes, or look at the indent of this line',
    "could not find expected ':'": 'is a ":" missing, or the space after it?',
    "expected <block end>": "look at the indent of this line, and for quotes above it",
    "found unexpected end of stream": "a quote is not closed",
    "that cannot start any token": "put the text in quotes",
    "but got '<stream end>'": "a bracket is not closed",
    "another document": "one file, one document: remove the second ---",
    "undefined alias": "put text that begins with * in quotes",
}


def parse_yaml(text: str, fail: Fail) -> Document:
    """`fail(reason, line, column)` raises for text that is no YAML or holds more than plain values; blank text is ``{}``."""
    root = _compose(text, fail)
    document = Document()
    if root is not None and (root.tag, root.value) != (f"{_CORE}null", ""):  # the latter: a bare ---
        document.values = _Build(document, fail).value(root, ())
    return document


def _compose(text: str, fail: Fail) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        _fail_marked(error, fail)
    except ReaderError as error:
        place = Lines(text).place(error.position)
        fail(f"the character {chr(error.character)!r} cannot stand in YAML", *place)
    except RecursionError:
        fail(f"nested too deep, at most {MAX_JSON_DEPTH} levels", 1, 1)
    # ruamel meets some broken text with errors that are not its own (tests/test_config.py, any text).
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        fail(f"broken YAML: {error}", 1, 1)
    return root


def _fail_marked(error: MarkedYAMLError, fail: Fail) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context)
    if problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    advice = next((advice for words, advice in _ADVICE.items() if words in problem), "")
    began = error.context_mark
    where = f" (it began on line {began.line + 1})" if began is not None and began.line != mark.line else ""
    fail(f"broken YAML: {problem}{where}{'; ' + advice if advice else ''}", mark.line + 1, mark.column + 1)


class _Build:
    """Makes plain values of nodes; an alias becomes a copy, so that what a worker does to one place stays there."""

    def __init__(self, document: Document, fail: Fail) -> None:
        self._document = document
        self._fail = fail
        self._seen: set[int] = set()
        self._inside: set[int] = set()
        self._repeated = 0

    def value(self, node: Node, steps: Steps) -> Any:
        self._document.value_places[steps] = _place(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._enter(node, len(self._inside))
        self._inside.add(id(node))
        if isinstance(node, SequenceNode):
            self._expect_tag(node, "seq")
            made: Any = [self.value(each, (*steps, index)) for index, each in enumerate(node.value)]
        else:
            assert isinstance(node, MappingNode), "the third kind of three"
            self._expect_tag(node, "map")
            made = self._mapping(node, steps)
        self._inside.discard(id(node))
        return made

    def _enter(self, node: Node, depth: int) -> None:
        if id(node) in self._inside:
            self._stop(f"*{node.anchor} contains itself", node)
        if depth >= MAX_JSON_DEPTH:
            self._stop(f"nested too deep, at most {MAX_JSON_DEPTH} levels", node)
        if id(node) in self._seen:
            self._repeated += len(node.value) + 1
        if self._repeated > _MAX_REPEATED:
            self._stop("aliases repeat too much", node)
        self._seen.add(id(node))

    def _mapping(self, node: MappingNode, steps: Steps) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        for value_node in (value for key, value in node.value if key.tag == _MERGE):
            for each in self._merge(value_node, steps):
                merged = each | merged
        self._document.value_places[steps] = _place(node)
        made: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self._key(key_node)
            at = (*steps, step_of(key))
            if key in made:
                first = self._document.key_places.get(at, _place(node)).line
                self._stop(f"the key {key!r} stands here a second time (first on line {first})", key_node)
            self._document.key_places[at] = _place(key_node)
            made[key] = self.value(value_node, at)
        return merged | made

    def _merge(self, node: Node, steps: Steps) -> list[dict[Any, Any]]:
        """``<<: *base`` or ``<<: [*one, *two]``: https://yaml.org/type/merge.html; earlier ones win."""
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        if not all(isinstance(each, MappingNode) for each in nodes):
            self._stop("<< takes a mapping or a list of mappings", node)
        return [self.value(each, steps) for each in nodes]

    def _key(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            self._stop("a key must be text or a number", node)
        return self._scalar(node)

    def _scalar(self, node: ScalarNode) -> Any:
        text: str = node.value
        tag = str(node.tag).removeprefix(_CORE)
        if any("\ud800" <= char <= "\udfff" for char in text):
            text = self._joined(text, node)
        if tag not in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"):
            self._stop(f"the tag {node.tag} is not for us; leave it out", node)
        make = _SCALARS.get(tag)
        return make(text) if make else text

    def _joined(self, text: str, node: Node) -> str:
        """Text whose surrogate pairs (JSON's way to escape an emoji) are characters; ruamel leaves the halves."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self._stop("half a character: \\ud800 to \\udfff; write the character itself", node)

    def _expect_tag(self, node: Node, name: str) -> None:
        if node.tag != f"{_CORE}{name}":
            self._stop(f"the tag {node.tag} is not for us; leave it out", node)

    def _stop(self, reason: str, node: Node) -> NoReturn:
        self._fail(reason, *_place(node))


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _whole(text: str) -> int | str:
    """YAML 1.2, section 10.3.2, and ruamel's ``1_000`` and ``0b101``; ``017`` is seventeen; 1.1's ``1:30`` stays text."""
    plain = text.replace("_", "").lower()
    digits = plain.lstrip("+-")
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2], 10)
    try:
        return int(plain, base)
    except ValueError:  # also Python's limit on the number of digits
        return text


def _number(text: str) -> float | str:
    plain = text.replace("_", "").lower()
    if plain.lstrip("+-") in (".inf", ".nan"):
        return math.nan if plain.endswith("nan") else math.copysign(math.inf, -1.0 if plain.startswith("-") else 1.0)
    try:
        return float(plain)
    except ValueError:
        return text


def _switch(text: str) -> bool | str:
    """Also under ``%YAML 1.1``, where ruamel takes yes, no, on and off for booleans: here they are text in any case."""
    return {"true": True, "false": False}.get(text.lower(), text)


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": _whole,
    "float": _number,
    "bool": _switch,
    "null": lambda _: None,
}
