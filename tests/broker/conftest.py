"""Every test of the embedded broker has its own folder for temporary files and may wait for log lines."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio


class Log:
    """What was logged, in order; `wait_for` returns the first line with a text that nobody has waited for yet."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[dict[str, Any]](math.inf)
        self.lines: list[dict[str, Any]] = []

    def tap(self, _: object, level: str, event_dict: MutableMapping[str, Any]) -> str:
        self.lines.append({**event_dict, "level": level})
        self._send.send_nowait(self.lines[-1])
        raise structlog.DropEvent

    async def wait_for(self, text: str) -> dict[str, Any]:
        with trio.fail_after(20):
            async for line in self._receive:
                if text in line["event"]:
                    return line
        raise AssertionError("the channel never closes")


@pytest.fixture
def log() -> Iterator[Log]:
    tapped = Log()
    structlog.configure(processors=[tapped.tap], cache_logger_on_first_use=False)
    yield tapped
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary folders; at the end of each test none may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
