"""The disk under a night's STATE_DIR: at a word SQLite finds it full, or read-only, and says so in its own errors.

Played is the reason alone: `max_page_count` stands for the disk's size, `query_only` for its mount. That SQLite refuses, what of
a transaction is left then, and all that the host makes of it, is real.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from halloween_host.store._database import Database
from halloween_host.store._shelf import Place
from halloween_host.testing._hooks import replaced

__all__ = ["DISK", "NightDisk", "Trouble"]

Trouble = Literal["full", "read-only"]

#: More than the pages that are free in the file.
_BALLAST: Final[dict[Place, str | None]] = {("night", "ballast", "ballast"): "x" * 200_000}

_Write = Callable[[Database, Mapping[Place, str | None]], None]


class NightDisk:
    """While it is open it is the disk of all databases."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        #: The process that would write is dead.
        self.dead = False

    @contextmanager
    def open(self) -> Iterator[None]:
        self.trouble, self.dead = None, False
        with replaced((Database, "write"), self._write):
            yield

    def _write(self, original: _Write) -> _Write:
        def write(database: Database, changes: Mapping[Place, str | None]) -> None:
            run = database._connection.execute
            if self.dead:
                raise sqlite3.OperationalError("nobody is left to write")
            if self.trouble == "read-only":
                run("PRAGMA query_only = ON")
            elif self.trouble == "full":
                (pages,) = run("PRAGMA page_count").fetchone()
                run(f"PRAGMA max_page_count = {pages}")
                changes = {**changes, **_BALLAST}
            original(database, changes)

        return write


#: Of this process.
DISK: Final = NightDisk()
