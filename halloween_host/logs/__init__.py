"""One stream, one line an event, each with its worker: structlog, stdlib logging, prints and stray exceptions alike."""

from __future__ import annotations

from halloween_host.logs._lines import escape
from halloween_host.logs._setup import configure_logging
from halloween_host.logs._strays import capture_prints, capture_strays

__all__ = ["capture_prints", "capture_strays", "configure_logging", "escape"]
