"""What an isolated worker's process writes becomes lines of the host's own log: its log as it was meant, all else as text."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from pathlib import Path
from typing import Any, Final

import structlog

from halloween_host.worker import shown_place

__all__ = ["Relay"]

#: Bytes of one line; a longer one comes in pieces.
LINE_BYTES: Final = 262_144
#: How Python's own last words begin, by faulthandler, and how they name a frame; at most so many lines are kept.
_LAST_WORDS: Final = ("Fatal Python error", "Timeout (")
LINES_KEPT: Final = 400
_FRAME: Final = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)')

_log: Final = structlog.stdlib.get_logger()


class Relay:
    """A thread that reads until nobody writes any more: a host that is blocked must not hold the worker's log."""

    def __init__(self, prop_id: str, descriptor: int) -> None:
        self._prop_id = prop_id
        self._descriptor = descriptor
        self._last_words: list[str] = []
        self._thread = threading.Thread(target=self._run, name=f"log of {prop_id}", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Return when all is said, after `timeout_s` at the latest."""
        self._thread.join(timeout_s)

    def place_of_death(self, folder: Path) -> str | None:
        """``in do_fire() (props/fogger/backend/worker.py:31)``: the innermost frame of the author's `folder`, if Python told."""
        for line in self._last_words:
            match = _FRAME.search(line)
            if match is not None and Path(match["file"]).is_relative_to(folder):
                return f"in {match['function']}() ({shown_place(match['file'], int(match['line']))})"
        return None

    def _run(self) -> None:
        with os.fdopen(self._descriptor, "rb") as stream:
            while line := stream.readline(LINE_BYTES):
                self._relay(line.decode(errors="backslashreplace").rstrip("\r\n"))
        if self._last_words:
            first, *rest = self._last_words
            _log.error(first, worker=self._prop_id, stack="\n".join(rest))

    def _relay(self, line: str) -> None:
        try:
            row = json.loads(line)
            level, event = logging.getLevelNamesMapping()[str(row.pop("level")).upper()], str(row.pop("event"))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self._relay_raw(line)
            return
        self._relay_row(level, event, row)

    def _relay_raw(self, line: str) -> None:
        """What no logger wrote: a C library, or Python as it dies."""
        if self._last_words or line.startswith(_LAST_WORDS):
            if len(self._last_words) < LINES_KEPT:
                self._last_words.append(line)
        elif line.strip():
            _log.warning(line, worker=self._prop_id)

    def _relay_row(self, level: int, event: str, row: dict[str, Any]) -> None:
        row.pop("timestamp", None)
        row.setdefault("worker", self._prop_id)
        _log.log(level, event, **row)
