"""Every test of the log has a stream of its own and leaves the process's logging as it found it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from halloween_host.logs import configure_logging

Rows = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Logging is global: each test leaves it as it found it."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, root.manager.disable
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    root.manager.disable = before[2]
    for logger in root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def rows(stream: io.StringIO) -> Rows:
    """Configures JSON at DEBUG; gives all rows so far, each line of the stream being one JSON object."""
    configure_logging("DEBUG", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def worker_module(name: str, code: str) -> types.ModuleType:
    """A module of this name that has executed `code`, as the loader makes it."""
    module = types.ModuleType(name)
    exec(compile(code, f"{name}.py", "exec"), module.__dict__)
    return module
