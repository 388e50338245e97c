"""What was read from a file, and where in the file each key and value stands."""

from __future__ import annotations

import bisect
import copy
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs

__all__ = ["Document", "Lines", "LoadedConfig", "Place", "Steps"]

#: From the root to a value: keys and indices.
Steps = tuple[str | int, ...]


class Place(NamedTuple):
    """Both count from 1, a column in characters."""

    line: int
    column: int


class Lines:
    """Finds the place of a character offset."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(offset + 1 for offset, char in enumerate(text) if char == "\n")]

    def place(self, offset: int) -> Place:
        line = bisect.bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)


@attrs.define
class Document:
    """A parsed file. `filled` holds the text as it is in the file where the environment filled a value in."""

    values: dict[Any, Any] = attrs.Factory(dict)
    key_places: dict[Steps, Place] = attrs.Factory(dict)
    value_places: dict[Steps, Place] = attrs.Factory(dict)
    filled: dict[Steps, str] = attrs.Factory(dict)

    def place_of_value(self, steps: Steps) -> Place | None:
        """Where the value stands, or the nearest mapping or list around it that is there."""
        for length in range(len(steps), -1, -1):
            if steps[:length] in self.value_places:
                return self.value_places[steps[:length]]
        return None


#: Of a config that came from no file: nobody writes into it.
_NO_DOCUMENT: Final = Document()


@attrs.frozen
class LoadedConfig:
    """A worker's config as a plain dict. `path` is the file, None when there is none; `warnings` are lines for the log."""

    values: dict[str, Any]
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    _document: Document = attrs.field(default=_NO_DOCUMENT, eq=False, repr=False)
    _looked_for: Path | None = attrs.field(default=None, eq=False, repr=False)

    def fresh(self) -> dict[str, Any]:
        """A deep copy: what one instance of a worker does to its config, the next never sees."""
        return copy.deepcopy(self.values)
