"""`--broker` takes a whole address, which wins over the environment; no password in it is ever shown."""

from __future__ import annotations

import pytest

from halloween_host.settings import BrokerSettings, load_settings
from tests.settings.conftest import Refused


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("broker.lan", BrokerSettings(host="broker.lan")),
        ("broker.lan:1884", BrokerSettings(host="broker.lan", port=1884)),
        ("10.0.0.2", BrokerSettings(host="10.0.0.2")),
        ("[::1]:1884", BrokerSettings(host="::1", port=1884)),
        ("my_broker", BrokerSettings(host="my_broker")),
        ("user@broker", BrokerSettings(host="broker", username="user")),
        ("mqtt://broker", BrokerSettings(host="broker")),
        ("mqtt://user:pw@broker:1884", BrokerSettings(host="broker", port=1884, username="user", password="pw")),
        ("mqtt://us%40er:p%23%2F@broker", BrokerSettings(host="broker", username="us@er", password="p#/")),
        ("mqtts://broker", BrokerSettings(host="broker", port=8883, tls=True)),
        ("ws://broker:9001/mqtt", BrokerSettings(host="broker", port=9001, transport="websockets")),
        ("wss://broker/", BrokerSettings(host="broker", port=443, tls=True, transport="websockets")),
        ("embedded", BrokerSettings(embedded_only=True)),
        ("embedded:1884", BrokerSettings(port=1884, embedded_only=True)),
    ],
)
def test_the_broker_option(option: str, expected: BrokerSettings) -> None:
    """All forms of `--broker`."""
    assert load_settings({}, broker=option).broker == expected


def test_the_option_wins_over_the_environment() -> None:
    """What it says counts, the rest is the environment's."""
    environ = {"MQTT_HOST": "other", "MQTT_PORT": "1885", "MQTT_USERNAME": "u", "MQTT_PASSWORD": "p", "MQTT_TLS": "1"}
    broker = load_settings(environ, broker="mqtt://me@broker").broker
    assert broker == BrokerSettings(host="broker", port=1883, username="me", password="p")
    broker = load_settings(environ, broker="broker").broker
    assert broker == BrokerSettings(host="broker", port=1885, username="u", password="p", tls=True)
    assert load_settings(environ, broker="embedded:1886").broker.embedded_only


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("", "expected a host's name or address"),
        ("mqtt://", "expected a host's name or address"),
        ("mqqt://h", "expected mqtt, mqtts, ws or wss before ://, got mqqt; did you mean 'mqtt'?"),
        ("http://h", "expected mqtt, mqtts, ws or wss before ://, got http"),
        ("h:abc", "expected host:port with a port from 1 to 65535"),
        ("h:0", "expected a port from 1 to 65535, got 0"),
        ("h:65536", "expected host:port with a port from 1 to 65535"),
        ("mqtt://[::1", "expected host:port"),
        ("mqtt://h/topic", "expected nothing after host:port"),
        ("mqtt://h?x=1", "expected nothing after host:port"),
        ("two words", "expected a host's name or address"),
        ("-h", "expected a host's name or address"),
    ],
)
def test_wrong_broker_options(refused: Refused, option: str, said: str) -> None:
    """Each is an error of `--broker` that says what is expected."""
    (problem,) = refused({}, option)
    assert problem.variable == "--broker"
    assert problem.reason.startswith(said)


@pytest.mark.parametrize(
    "option",
    [
        "mqqt://u:s3cret@h",
        "mqtt://u:s3#cret@h:1",
        "mqtt://u:s3@cret@h:x",
        "u:s3cret@h h",
        "mqtt://u:s3cret@h/x",
        "mqtt://u:s3cret",
        "u:s3cret",
        "u:s3cret@mqtt://h",
    ],
)
def test_a_password_in_an_address_is_never_shown(refused: Refused, option: str) -> None:
    """Also where it breaks the address in two, and where the host behind it was forgotten."""
    for environ, broker, name in (({}, option, "--broker"), ({"MQTT_HOST": option}, None, "MQTT_HOST")):
        (problem,) = refused(environ, broker)
        assert problem.variable == name
        assert "s3" not in str(problem)
        assert "cret" not in str(problem)


def test_a_password_on_the_command_line_is_warned_of() -> None:
    """Every user of the machine sees it in the process list; the line does not repeat it, and says where it belongs."""
    (warning,) = load_settings({}, broker="mqtt://u:s3cret@h").warnings
    assert "reads the password of --broker with ps: put it into MQTT_PASSWORD_FILE" in warning
    assert "s3cret" not in warning
    assert load_settings({}, broker="mqtt://u@h").warnings == ()
