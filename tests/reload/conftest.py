"""`props` is an empty props folder's path."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def props(tmp_path: Path) -> Path:
    return tmp_path / "props"
