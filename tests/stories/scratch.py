"""A STATE_DIR for a story: in memory where there is such a place, for each panic is synced to the disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["scratch"]

_MEMORY: Final = Path("/dev/shm")


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="story-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
