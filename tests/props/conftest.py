"""The shipped props stand in a haunt of the test's own, so that configs can be written beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.haunt import Haunt

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shipped(tmp_path: Path) -> Haunt:
    """A haunt with a copy of every shipped prop and built-in, without any config."""
    haunt = Haunt(tmp_path)
    ignore = shutil.ignore_patterns("__pycache__", "config.yaml", "config.yml", "config.json")
    shutil.copytree(ROOT / "props", haunt.props, dirs_exist_ok=True, ignore=ignore)
    shutil.copytree(ROOT / "builtins", haunt.builtins, dirs_exist_ok=True, ignore=ignore)
    return haunt
