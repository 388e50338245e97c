"""A listener that keeps what it was told, and a file's rows as another program reads them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["Heard", "rows", "stored", "wait_for"]

#: A hang guard, not a measure.
PATIENCE_S = 20.0


class Heard:
    """What the stores said: `failures`, `recoveries` and `warnings` are lines, `reasons` by prop what degrades it."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.recoveries: list[str] = []
        self.warnings: list[str] = []
        self.reasons: dict[str, str | None] = {}
        self.degradations = 0

    def failed(self, line: str) -> None:
        self.failures.append(line)

    def recovered(self, line: str) -> None:
        self.recoveries.append(line)

    def warned(self, line: str) -> None:
        self.warnings.append(line)

    def degraded(self, prop_ids: Iterable[str], reason: str | None) -> None:
        for prop_id in prop_ids:
            self.degradations += 1
            self.reasons[prop_id] = reason


def rows(file: Path) -> list[tuple[str, str, str, str]]:
    """All that stands in the file, read by a connection of our own."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT space, prop, key, value FROM state ORDER BY 1, 2, 3").fetchall()


def stored(file: Path, prop_id: str) -> dict[str, str]:
    """One prop's store as JSON text by key; empty while there is no file or no table."""
    try:
        return {key: value for space, prop, key, value in rows(file) if (space, prop) == ("store", prop_id)}
    except sqlite3.OperationalError:
        return {}


def wait_for(true: Callable[[], Any], what: str) -> None:
    """Wait for something on a disk, or told by a thread, that can only be looked at."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"not in {PATIENCE_S:g} s: {what}"
        threading.Event().wait(0.01)
