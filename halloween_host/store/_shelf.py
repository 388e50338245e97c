"""A shelf holds what one prop keeps in one space: JSON text by key, in memory; the journal takes it to the disk."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["Place", "Recorder", "Shelf"]

#: Where a text stands: its space, its prop, its key.
Place = tuple[str, str, str]


class Recorder(Protocol):
    """Who is told what changed."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held for moments, never over a disk's; reentrant."""

    def note(self, space: str, prop_id: str, keys: list[str]) -> None:
        """These are not on the disk yet. Called with the lock held."""


class Shelf:
    """Reading needs no lock, one key at a time; what reads and then writes holds `lock`."""

    __slots__ = ("_recorder", "lock", "prop_id", "space", "texts")

    def __init__(self, space: str, prop_id: str, recorder: Recorder) -> None:
        self.space = space
        self.prop_id = prop_id
        self.texts: dict[str, str] = {}
        self.lock = recorder.lock
        self._recorder = recorder

    def put(self, changes: Mapping[str, str | None]) -> None:
        """Change all of these at once, None deletes. What stays as it is wears no disk."""
        with self.lock:
            changed = [key for key, text in changes.items() if self.texts.get(key) != text]
            for key in changed:
                text = changes[key]
                if text is None:
                    del self.texts[key]
                else:
                    self.texts[key] = text
            if changed:
                self._recorder.note(self.space, self.prop_id, changed)
