"""cattrs fills attrs classes; every value in them passes our own rules, and every problem keeps its path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import cattrs
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from halloween_host.errors import StructureError, did_you_mean
from halloween_host.structuring._hints import describe, fields, kind, quoted
from halloween_host.structuring._misfit import Misfit, WrongKey, got, misfit, moved, step_of

__all__ = ["ClassFiller"]

#: How the validators of attrs and most people begin: ``'duration_ms' must be > 0``.
_NAMED_FIRST: Final = re.compile(r"['\"`]?(\w+)")


class _Strict(cattrs.Converter):
    """A converter that asks `fit` about every value but the attrs class itself."""

    def __init__(self, fit: Callable[[object, Any], Any]) -> None:
        super().__init__(detailed_validation=True)
        self._fit = fit

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Callable[[Any, Any], Any]:
        return self._fit

    def structure(self, obj: Any, cl: Any) -> Any:
        return self._fit(obj, cl)


class ClassFiller:
    """Makes an instance of any attrs class out of a mapping. `fit` structures the fields' values."""

    def __init__(self, fit: Callable[[object, Any], Any]) -> None:
        self._converter = _Strict(fit)
        self._functions: dict[Any, Callable[..., Any]] = {}

    def fit(self, value: object, hint: Any) -> Any:
        """An instance of `hint`. Raises Misfit with all that is wrong: unknown keys first, then values and missing keys."""
        if not isinstance(value, Mapping):
            raise misfit(value, hint)
        function = self._function(hint)
        try:
            return function(value)
        except cattrs.ClassValidationError as group:
            overrides = function.overrides
            keys: dict[str, str] = {
                field.name: (overrides[field.name].rename if field.name in overrides else None)
                or field.alias
                or field.name
                for field in fields(hint)
                if field.init
            }
            raise Misfit(*_problems(group, value, hint, keys)) from None

    def _function(self, hint: Any) -> Any:
        if hint not in self._functions:
            fields(hint)  # resolves annotations, also by names of the class
            self._functions[hint] = make_dict_structure_fn(
                hint, self._converter, _cattrs_forbid_extra_keys=True, _cattrs_use_alias=True
            )
        return self._functions[hint]


def _problems(
    group: cattrs.ClassValidationError, value: Mapping[Any, object], hint: Any, keys: Mapping[str, str]
) -> Iterator[StructureError]:
    types = {field.name: field.type for field in fields(hint)}
    unknown = [error for error in group.exceptions if isinstance(error, ForbiddenExtraKeysError)]
    for key in (key for error in unknown for key in value if key in error.extra_fields):
        near = did_you_mean(key, keys.values()) if isinstance(key, str) else ""
        wanted = f"one of the keys {quoted(keys.values())}" if keys else "no keys"
        yield WrongKey((step_of(key),), wanted, repr(key), hint=near)
    for error in group.exceptions:
        if isinstance(error, RecursionError):
            raise error
        name = next((note.name for note in _notes(error) if isinstance(note, AttributeValidationNote)), None)
        if isinstance(error, Misfit) and name is not None:
            yield from (moved(problem, (keys[name],)) for problem in error.problems)
        elif name is not None and keys[name] not in value:
            yield StructureError((keys[name],), describe(types[name]), "nothing: the key is missing")
        elif error not in unknown:
            yield _refused_by_author(error, value, hint, keys)


def _refused_by_author(
    error: Exception, value: Mapping[Any, object], hint: Any, keys: Mapping[str, str]
) -> StructureError:
    """A validator, a converter or `__attrs_post_init__` of the class raised."""
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    named = _NAMED_FIRST.match(text)
    key = keys.get(named[1]) if named else None
    path, stands_there = ((), got(value)) if key is None or key not in value else ((key,), got(value[key]))
    return StructureError(
        path, f"a value that {kind(hint).__name__} takes", stands_there, hint=f": {text or type(error).__name__}"
    )


def _notes(error: BaseException) -> list[object]:
    return getattr(error, "__notes__", [])
