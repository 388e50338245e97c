"""A worker's declared class meets its config file: one error each for all that does not fit, at its place."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from halloween_host.config._loaded import LoadedConfig
from halloween_host.errors import ConfigError, InvalidConfig, StructureError
from halloween_host.structuring import WrongKey, structure_all

__all__ = ["structure_config"]

T = TypeVar("T")


def structure_config(loaded: LoadedConfig, settings_class: type[T]) -> T:
    """The config as an instance of `settings_class`, an attrs class.

    Raises:
        InvalidConfig: for unknown and missing keys and wrong values: all of them, in the order of the file, each with line,
            column and ``$.path``.
    """
    result, problems = structure_all(loaded.values, settings_class)
    if problems or result is None:
        path = loaded.path or loaded._looked_for or Path("config.json")
        errors = [_placed(problem, loaded, path) for problem in problems]
        raise InvalidConfig(path, tuple(sorted(errors, key=lambda error: (error.line or 0, error.column or 0))))
    return result


def _placed(problem: StructureError, loaded: LoadedConfig, path: Path) -> ConfigError:
    document = loaded._document
    got, hint = problem.got, problem.hint
    if problem.path in document.filled and not isinstance(problem, WrongKey):
        # What came from the environment may be a secret, and this text goes out on MQTT.
        got, hint = f"what the environment puts into {document.filled[problem.path]!r}", ""
    place = document.key_places.get(problem.path) if isinstance(problem, WrongKey) else None
    place = place or document.place_of_value(problem.path)
    absent = "" if loaded.path else "no config file; "
    reason = f"{absent}{problem.json_path}: expected {problem.expected}, got {got}{hint}"
    return ConfigError(path, reason, line=place and place.line, column=place and place.column)
