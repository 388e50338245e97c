"""What a fault is given: how often to do it, scratch folders, and a way to say how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs


@attrs.define
class Scene:
    """One fault's run. Everything is under `root`, which is removed at the end."""

    root: Path
    #: How often the fault is done this time: its `times`, or `quick_times`.
    times: int
    quick: bool
    #: Told (done, of) after each time; shown as a progress line.
    progress: Callable[[int, int], None]
    _folders: int = 0

    def folder(self) -> Path:
        """A new empty folder."""
        self._folders += 1
        made = self.root / str(self._folders)
        made.mkdir(parents=True)
        return made

    def counted(self, times: int | None = None) -> Iterator[int]:
        """0, 1, ... up to `times` (the scene's own when not given), with the progress line moved on after each."""
        of = self.times if times is None else times
        for done in range(of):
            yield done
            self.progress(done + 1, of)
