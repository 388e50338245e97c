"""A door is tried from a `terminal`, as in tests/cli, and on a `haunt`, as in tests/end_to_end."""

from __future__ import annotations

from tests.cli.conftest import terminal
from tests.end_to_end.conftest import haunt

__all__ = ["haunt", "terminal"]
