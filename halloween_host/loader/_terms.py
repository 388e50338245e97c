"""A worker's own terms win over the environment's: first its class attributes, then the `host:` section of its config."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final

import attrs

from halloween_host.config import LoadedConfig, structure_config
from halloween_host.errors import did_you_mean
from halloween_host.loader._blame import bound_in_class
from halloween_host.settings import Settings
from halloween_host.terms import MOST, Terms
from halloween_host.worker import CommonWorker

__all__ = ["SECTION", "class_terms", "environment_terms", "section_terms", "take_section"]

#: The section of a config file that is the host's; a value of that name that is no mapping is the worker's.
SECTION: Final = "host"
_DEFAULTS: Final = attrs.asdict(Terms())
_NAMES: Final = tuple(_DEFAULTS)
#: By the type of the default: which types a class attribute may have, and how that is said.
_PLAIN: Final[Mapping[type, tuple[tuple[type, ...], str]]] = {
    float: ((float, int), "seconds, a number above 0"),
    int: ((int,), f"a whole number from 1 to {MOST}"),
    bool: ((bool,), "True or False"),
    NoneType: ((bool, NoneType), "True, False or None"),
}


@attrs.frozen
class _File:
    """A config file, seen as nothing but its section."""

    host: Terms


def environment_terms(settings: Settings) -> Terms:
    """What holds for every worker that says nothing itself."""
    return Terms(**{name: getattr(settings, name) for name in _NAMES if name not in ("presence", "isolate")})


def class_terms(worker_class: type[CommonWorker], terms: Terms) -> tuple[Terms, list[str]]:
    """`terms` with what the class and its parents say put over them, and a line for each attribute that does not count.

    Workers of 2025 may use such a name for something of their own: what is no plain value of the right type is left alone.
    """
    ignored: list[str] = []
    said_by = {name: owner for owner in reversed(worker_class.__mro__) for name in vars(owner).keys() & _DEFAULTS}
    for name, default in _DEFAULTS.items():
        owner = said_by.get(name)
        if owner is None:
            continue
        value = vars(owner)[name]
        types, expected = _PLAIN[type(default)]
        try:
            if type(value) not in types:
                raise ValueError
            said: dict[str, Any] = {name: float(value) if type(default) is float else value}
            terms = attrs.evolve(terms, **said)
        except (ValueError, OverflowError):
            told = f"{name} is {_described(value)}: not the host's setting of that name, which takes {expected}"
            ignored.append(f"{_place(owner, name)}{told}")
    return terms, ignored


def take_section(config: LoadedConfig, worker_class: type[CommonWorker]) -> tuple[LoadedConfig, LoadedConfig | None]:
    """The config without its section, and the section's part of it, None when there is none."""
    section = config.values.get(SECTION)
    if not isinstance(section, Mapping):
        return config, None
    if worker_class.dialect == "legacy" and section and not any(map(_like_ours, section)):
        line = f"{config.path or 'the config'}: {SECTION!r} holds no setting of the host's: it stays in self.config"
        return attrs.evolve(config, warnings=(*config.warnings, line)), None
    rest = {key: value for key, value in config.values.items() if key != SECTION}
    return attrs.evolve(config, values=rest), attrs.evolve(config, values={SECTION: section})


def section_terms(section: LoadedConfig | None, terms: Terms) -> Terms:
    """`terms` with what the section says put over them.

    Raises:
        InvalidConfig: for unknown keys and values that do not fit.
    """
    if section is None:
        return terms
    said = structure_config(section, _File).host
    return attrs.evolve(terms, **{name: getattr(said, name) for name in section.values[SECTION]})


def _like_ours(key: object) -> bool:
    return isinstance(key, str) and (key in _NAMES or bool(did_you_mean(key, _NAMES)))


def _described(value: Any) -> str:
    if type(value) in (bool, int, float, str, NoneType):
        return f"{value!r:.60}"
    return f"a {type(value).__name__}"


def _place(owner: type, name: str) -> str:
    """Where the attribute stands, when that is a file."""
    file = getattr(sys.modules.get(owner.__module__), "__file__", None)
    if file is None:
        return f"{owner.__name__}."
    line = bound_in_class(Path(file), owner.__name__, name)
    return f"{file}{f':{line}' if line else ''}: {owner.__name__}."
