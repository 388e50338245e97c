"""What a command is called on the broker."""

from __future__ import annotations

import pytest

from halloween_host.cli._client import client_id_for
from tests.cli.test_usage import COMMANDS


@pytest.mark.parametrize("command", [*COMMANDS, "ask"])
def test_every_broker_takes_the_client_id(command: str) -> None:
    """At most 23 characters (MQTT 3.1.1, section 3.1.3.1), and another one each time: the host's stays its own."""
    made = {client_id_for(command) for _ in range(20)}
    assert len(made) == 20
    assert all(len(each) <= 23 and each.startswith("halloween-") for each in made)
