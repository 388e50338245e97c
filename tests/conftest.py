"""Every test may ask for a real mosquitto: `broker` (its own), `mosquitto` (the session's), `make_mosquitto` (many)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from tests.mosquitto import Mosquitto

MakeMosquitto = Callable[..., Mosquitto]


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One mosquitto for the session; tests that share it use topics of their own and leave nothing retained."""
    server = Mosquitto(folder=tmp_path_factory.mktemp("mosquitto"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMosquitto]:
    """Start a mosquitto with `Mosquitto`'s arguments; all are stopped at the end of the test."""
    made: list[Mosquitto] = []

    def make(*, start: bool = True, **arguments: Any) -> Mosquitto:
        server = Mosquitto(folder=tmp_path_factory.mktemp("mosquitto"), **arguments)
        made.append(server)
        if start:
            server.start()
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def broker(make_mosquitto: MakeMosquitto) -> Mosquitto:
    """A mosquitto of this test alone."""
    return make_mosquitto()


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """Our log lines stand in a failing test's report without colours, and without every frame's locals."""
    configured = structlog.get_config()
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain], cache_logger_on_first_use=False)
    yield
    structlog.configure(**configured)
