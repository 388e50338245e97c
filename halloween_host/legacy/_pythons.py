"""The Pythons that the guest loop was tried on; known without asyncio, because every host says so as it starts."""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["TRIED_PYTHONS", "untried_python"]

#: Pythons whose own asyncio tests were run on the guest loop, with trio 0.35.
TRIED_PYTHONS: Final = ((3, 11), (3, 12), (3, 13))


def untried_python(version: tuple[int, ...] = sys.version_info[:2]) -> str | None:
    """A warning line for an interpreter on which the guest loop was never tried, None for one on which it was."""
    if version[:2] in TRIED_PYTHONS:
        return None
    here, tried = ".".join(map(str, version[:2])), ", ".join(".".join(map(str, each)) for each in TRIED_PYTHONS)
    return f"Python {here} was never tried with asyncio workers (tried: {tried}); native workers do not mind"
