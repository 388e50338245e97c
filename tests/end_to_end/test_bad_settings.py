"""A wrong variable ends the start with status 2 and says what is allowed; a secret is never shown."""

from __future__ import annotations

import pytest

from tests.end_to_end.haunt import Haunt


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MQTT_PORT": "abc"}, ["MQTT_PORT", "'abc'", "from 1 to 65535"]),
        ({"LOG_LEVEL": "LOUD"}, ["LOG_LEVEL", "'LOUD'", "DEBUG, INFO, WARNING, ERROR, CRITICAL"]),
        ({"LOG_FORMAT": "xml"}, ["LOG_FORMAT", "'xml'", "console, json"]),
        ({"WORKER_STOP_TIMEOUT_S": "soon"}, ["WORKER_STOP_TIMEOUT_S", "'soon'", "seconds"]),
        ({"MQTT_PORT": "0", "MQTT_PROTOCOL": "4", "MQTT_TLS": "maybe"}, ["MQTT_PORT", "MQTT_PROTOCOL", "MQTT_TLS"]),
    ],
)
async def test_a_wrong_variable(haunt: Haunt, environ: dict[str, str], said: list[str]) -> None:
    """Port `abc`, an unknown `LOG_LEVEL` and the like: variable, value and what is allowed, all at once, and exit status 2."""
    async with haunt.host(None, MQTT_PASSWORD="s3cret-w0rd", MQTT_USERNAME="haunt", **environ) as host:
        await host.wait(2)
        for part in said:
            assert part in host.log
        assert "s3cret-w0rd" not in host.log
        assert "Traceback" not in host.log
        assert len(host.lines) < 10


async def test_a_wrong_broker_option(haunt: Haunt) -> None:
    """`--broker` with an unknown scheme likewise, without the password that stands in it."""
    async with haunt.host(None, "--broker", "mqqt://haunt:s3cret-w0rd@localhost:1883") as host:
        await host.wait(2)
        assert "--broker" in host.log
        assert "mqtt, mqtts, ws or wss" in host.log
        assert "s3cret-w0rd" not in host.log
