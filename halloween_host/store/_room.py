"""How much room a batch needs on the disk: SQLite in WAL mode stores each page twice, first in the -wal, later in the database."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from halloween_host.store._shelf import Place

__all__ = ["ROOMY_BYTES", "batch_pages", "free_bytes"]

#: Bytes free from which nobody need count: the -wal grows to 4 MiB (sqlite.org/wal.html, 1,000 pages) before its pages go into the
#: database, and takes as much again there.
ROOMY_BYTES: Final = 8 * 1024 * 1024
#: SQLite's default.
PAGE_BYTES: Final = 4096
#: Pages that a row changes beside those of its text: the one it stands on, two that are balanced with it, and the one above.
PAGES_A_ROW: Final = 4


def free_bytes(folder: Path) -> float:
    """What this process may still write there; infinite where the file system does not tell.

    Raises:
        OSError: when the folder is gone.
    """
    found = os.statvfs(folder)
    if not found.f_blocks:
        return math.inf
    return found.f_frsize * (found.f_bavail if os.geteuid() else found.f_bfree)  # root may use what is kept back for it


def batch_pages(changes: Mapping[Place, str | None]) -> int:
    """Pages that these changes write, at most."""
    return sum(PAGES_A_ROW + len((text or "").encode()) // PAGE_BYTES for text in changes.values())
