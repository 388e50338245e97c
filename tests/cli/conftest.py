"""`terminal`: an empty folder to type `halloween-host` in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.mosquitto import Mosquitto


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    """No broker is named; what was started ends with the test."""
    made = Terminal(tmp_path)
    yield made
    await made.aclose()


@pytest.fixture
def wired(terminal: Terminal, broker: Mosquitto) -> Terminal:
    """A terminal whose environment names a broker of this test's own."""
    terminal.environ |= {"MQTT_HOST": broker.host, "MQTT_PORT": str(broker.port)}
    return terminal
