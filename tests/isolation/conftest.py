"""A haunt with an isolated worker, a sibling, and the processes that this makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.haunt import Haunt
from tests.isolation.workers import COFFIN, TICKER


@pytest.fixture
def haunt(tmp_path: Path) -> Haunt:
    """`coffin` is isolated, `ticker` is not."""
    haunt = Haunt(tmp_path)
    haunt.prop("coffin", COFFIN)
    haunt.prop("ticker", TICKER)
    return haunt
