"""Each end-to-end test has a haunt of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.haunt import Haunt


@pytest.fixture
def haunt(tmp_path: Path) -> Haunt:
    """An empty haunt."""
    return Haunt(tmp_path)
