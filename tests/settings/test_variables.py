"""Settings: every variable is read as documented, and all that is wrong is told at once, without a secret."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halloween_host.errors import InvalidSettings
from halloween_host.settings import VARIABLES, BrokerSettings, Settings, Toggles, load_settings
from tests.settings.conftest import Refused

NAMES = [variable.name for variable in VARIABLES]


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text() | st.sampled_from(["1", "5", "on", "a,b", "tcp", "json"])),
    st.none() | st.text() | st.from_regex(r"((mqtts?|wss?)://)?(u(:p)?@)?[a-z\[\]:.]*(:[0-9]{0,6})?/?", fullmatch=True),
)
def test_any_environment_is_settings_or_invalid_settings(environ: dict[str, str], broker: str | None) -> None:
    """Nothing else leaves `load_settings`."""
    try:
        settings = load_settings(environ, broker=broker)
    except InvalidSettings:
        return
    assert 1 <= settings.broker.port <= 65_535
    assert settings.broker.embedded == (settings.broker.host is None)


def test_the_defaults() -> None:
    """With nothing set: an embedded broker if none answers, and the documented limits."""
    settings = load_settings({})
    assert settings == Settings()
    assert settings.broker == BrokerSettings(host=None, port=1883, keepalive_s=10, embedded=True, embedded_only=False)
    assert (settings.start_timeout_s, settings.stop_timeout_s, settings.safe_timeout_s) == (30, 5, 1)
    assert (settings.watchdog_s, settings.watchdog_exit_s) == (0.25, 30)
    assert (settings.presence_max, settings.state_dir) == (200, Path("state"))
    assert (settings.restart_limit, settings.restart_window_s, settings.mailbox_capacity) == (5, 60, 10_000)
    assert (settings.log_level, settings.log_format, settings.warnings) == ("INFO", "console", ())


def test_an_empty_variable_is_not_set() -> None:
    """`MQTT_HOST=` in a compose file means: none."""
    assert load_settings(dict.fromkeys(NAMES, "")) == Settings()


def test_a_whole_environment(tmp_path: Path) -> None:
    """Every variable lands in its place."""
    ca_file, cert_file, key_file = (tmp_path / name for name in ("ca.pem", "host.pem", "host.key"))
    for each in (ca_file, cert_file, key_file):
        each.touch()
    settings = load_settings(
        {
            "MQTT_HOST": "broker.lan",
            "MQTT_PORT": "8883",
            "MQTT_USERNAME": "haunt",
            "MQTT_PASSWORD": " s3cret ",
            "MQTT_WORKER_USER": "old",
            "MQTT_WORKER_PW": "older",
            "MQTT_CLIENT_ID": "host-1",
            "MQTT_TLS": "yes",
            "MQTT_CA_FILE": str(ca_file),
            "MQTT_CERT_FILE": str(cert_file),
            "MQTT_KEY_FILE": str(key_file),
            "MQTT_TRANSPORT": "websockets",
            "MQTT_KEEPALIVE": "30",
            "MQTT_PROTOCOL": "3.1.1",
            "MQTT_FAST_PATH": "0",
            "WORKER_DISABLE_ALL_BUILTINS": "1",
            "WORKER_BUILTINS_ALLOW": "a, b,,a",
            "WORKER_BUILTINS_DISABLE": "c",
            "WORKER_DISABLE_ALL_PROPS": "off",
            "WORKER_PROPS_ALLOW": "d",
            "WORKER_PROPS_DISABLE": " , ",
            "WORKER_START_TIMEOUT_S": "1.5",
            "WORKER_STOP_TIMEOUT_S": "2",
            "WORKER_SAFE_TIMEOUT_S": "0.5",
            "WORKER_RESTART_LIMIT": "3",
            "WORKER_RESTART_WINDOW_S": "4",
            "WORKER_MAILBOX_CAPACITY": "5",
            "PRESENCE_MAX": "0",
            "WATCHDOG_S": "0.5",
            "WATCHDOG_EXIT": "0",
            "STATE_DIR": str(tmp_path / "not yet"),
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "JSON",
            "PATH": "/bin",
        }
    )
    assert settings == Settings(
        broker=BrokerSettings(
            host="broker.lan",
            port=8883,
            username="haunt",
            password=" s3cret ",
            client_id="host-1",
            tls=True,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            transport="websockets",
            keepalive_s=30,
            protocol="3.1.1",
            fast_path=False,
        ),
        builtins=Toggles("BUILTINS", disable_all=True, allow=("a", "b"), disable=("c",)),
        props=Toggles("PROPS", allow=("d",)),
        start_timeout_s=1.5,
        stop_timeout_s=2,
        safe_timeout_s=0.5,
        restart_limit=3,
        restart_window_s=4,
        mailbox_capacity=5,
        presence_max=0,
        watchdog_s=0.5,
        watchdog_exit_s=math.inf,
        state_dir=tmp_path / "not yet",
        log_level="DEBUG",
        log_format="json",
    )
    assert not settings.broker.embedded
    assert "s3cret" not in repr(settings)


def test_the_table_shows_the_defaults() -> None:
    """What the documentation's table calls a default is one: set to it, nothing changes."""
    shown = {
        each.name: each.default for each in VARIABLES if each.name.startswith(("WORKER_", "LOG_")) or each.name in NAMES
    }
    words = ("none", "all", "embedded", "made from host and folder", "the system's")
    assert load_settings({name: default for name, default in shown.items() if default not in words}) == Settings()
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", ["STATE_DIR", "MQTT_CA_FILE"])
def test_a_path_that_no_file_can_have(refused: Refused, name: str) -> None:
    """What the file system does not take (a name of 256 bytes, POSIX's NAME_MAX is 255) is a wrong value like any other."""
    (problem,) = refused({"MQTT_HOST": "b", "MQTT_TLS": "1", name: "x" * 256})
    assert (problem.variable, problem.reason[:10]) == (name, "expected a")


def test_2025s_names_for_user_and_password() -> None:
    """They serve where the new ones are not set."""
    broker = load_settings({"MQTT_HOST": "b", "MQTT_WORKER_USER": "old", "MQTT_WORKER_PW": "older"}).broker
    assert (broker.username, broker.password) == ("old", "older")
    broker = load_settings(
        {"MQTT_HOST": "b", "MQTT_USERNAME": "new", "MQTT_WORKER_USER": "old", "MQTT_PASSWORD": "p"}
    ).broker
    assert (broker.username, broker.password) == ("new", "p")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MQTT_PORT", "abc", "expected a whole number from 1 to 65535"),
        ("MQTT_PORT", "0", "expected a whole number from 1 to 65535"),
        ("MQTT_PORT", "65536", "expected a whole number from 1 to 65535"),
        ("MQTT_PORT", "1_883", "expected a whole number from 1 to 65535"),
        ("MQTT_PORT", "-1", "expected a whole number from 1 to 65535"),
        ("MQTT_KEEPALIVE", "0", "expected a whole number from 1 to 65535"),
        ("MQTT_KEEPALIVE", "2.5", "expected a whole number from 1 to 65535"),
        ("MQTT_TLS", "maybe", "expected 1 true yes on or 0 false no off"),
        ("MQTT_CA_FILE", "/no/such.pem", "expected a file (PEM), there is none of that name"),
        ("MQTT_TRANSPORT", "websocket", "expected one of tcp, websockets; did you mean 'websockets'?"),
        ("MQTT_PROTOCOL", "4", "expected one of auto, 5, 3.1.1"),
        ("MQTT_HOST", "two words", "expected a host's name or address, such as localhost, broker.lan or 10.0.0.2"),
        ("MQTT_HOST", "broker:1884", "expected a name or an address alone: MQTT_HOST=broker MQTT_PORT=1884"),
        ("MQTT_HOST", "mqtt://broker", "expected a name or an address alone; a whole address goes to --broker"),
        ("MQTT_CLIENT_ID", "a\nb", "expected printable characters"),
        ("WORKER_DISABLE_ALL_PROPS", "2", "expected 1 true yes on or 0 false no off"),
        ("WORKER_START_TIMEOUT_S", "0", "expected seconds, a number above 0"),
        ("WORKER_STOP_TIMEOUT_S", "-1", "expected seconds, a number above 0"),
        ("WORKER_STOP_TIMEOUT_S", "inf", "expected seconds, a number above 0"),
        ("WORKER_STOP_TIMEOUT_S", "nan", "expected seconds, a number above 0"),
        ("WORKER_RESTART_WINDOW_S", "soon", "expected seconds, a number above 0"),
        ("WORKER_RESTART_LIMIT", "0", "expected a whole number from 1 to 1000000"),
        ("WORKER_MAILBOX_CAPACITY", "many", "expected a whole number from 1 to 1000000"),
        ("WORKER_SAFE_TIMEOUT_S", "0", "expected seconds, a number above 0"),
        ("PRESENCE_MAX", "-1", "expected a whole number from 0 to 1000000"),
        ("PRESENCE_MAX", "off", "expected a whole number from 0 to 1000000"),
        ("STATE_DIR", __file__, "expected a folder, this is a file"),
        ("STATE_DIR", f"{__file__}/state", f"expected a folder, {__file__} is a file"),
        ("STATE_DIR", "a\tb", "expected printable characters"),
        ("LOG_LEVEL", "LOUD", "expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("LOG_LEVEL", "debgu", "expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL; did you mean 'DEBUG'?"),
        ("LOG_FORMAT", "xml", "expected one of console, json"),
    ],
)
def test_wrong_values(refused: Refused, name: str, value: str, reason: str) -> None:
    """Each names the variable, the value and what is allowed."""
    (problem,) = refused({name: value})
    assert (problem.variable, problem.value, problem.reason) == (name, value, reason)


def test_all_wrong_values_at_once() -> None:
    """One start, one list of everything to repair, one a line."""
    environ = {"MQTT_PORT": "abc", "LOG_LEVEL": "LOUD", "WORKER_STOP_TIMEOUT_S": "x", "MQTT_PASSWORD": "s3cret"}
    with pytest.raises(InvalidSettings) as caught:
        load_settings(environ, broker="http://u:s3cret@h")
    assert len(str(caught.value).splitlines()) == 4
    assert {problem.variable for problem in caught.value.problems} == {"--broker", *environ} - {"MQTT_PASSWORD"}
    assert "s3cret" not in str(caught.value)


def test_a_long_value_is_cut(refused: Refused) -> None:
    """An error stays a line that can be read."""
    (problem,) = refused({"MQTT_PORT": "9" * 5_000})
    assert len(problem.value or "") == 81


@pytest.mark.parametrize(
    ("environ", "warning"),
    [
        ({"MQTT_HSOT": "b"}, "MQTT_HSOT is not read: no variable of ours; did you mean MQTT_HOST?"),
        (
            {"WORKER_BUILTIN_ALLOW": "b"},
            "WORKER_BUILTIN_ALLOW is not read: no variable of ours; did you mean WORKER_BUILTINS_ALLOW?",
        ),
        ({"LOGLEVEL": "b"}, "LOGLEVEL is not read: no variable of ours; did you mean LOG_LEVEL?"),
        ({"MQTT_USER": "b"}, "MQTT_USER is not read: no variable of ours; did you mean MQTT_USERNAME?"),
        ({"MQTT_PASSWORD": "s3cret"}, "a password for the broker is set but no user: not sent; set MQTT_USERNAME too"),
        (
            {"MQTT_TLS": "1"},
            "MQTT_TLS and MQTT_TRANSPORT are not used: the embedded broker speaks plain TCP; set MQTT_HOST",
        ),
    ],
)
def test_warnings(environ: dict[str, str], warning: str) -> None:
    """What looks like a slip is told, and the host starts."""
    settings = load_settings(environ)
    assert settings.warnings == (warning,)
    assert (settings.broker.password, settings.broker.tls) == (None, False)


def test_no_warning_about_others_variables() -> None:
    """Names that only resemble ours a little, or beside one of ours that is set, are somebody else's."""
    environ = dict.fromkeys(
        ["PATH", "LOGNAME", "MQTT_TOPIC", "WORKER_ID", "LOG_FILE", "MQTT_URL", "HOSTNAME", "MQTT_HOST_2"], "x"
    )
    assert load_settings(environ | {"MQTT_HOST": "b"}).warnings == ()


def test_systemds_variables_are_no_misspelt_ones() -> None:
    """WATCHDOG_PID and WATCHDOG_USEC stand in every unit's environment that has a WatchdogSec."""
    assert load_settings({"WATCHDOG_PID": "1", "WATCHDOG_USEC": "60000000"}).warnings == ()
    assert load_settings({"WATCHDOG_SS": "1"}).warnings != ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WATCHDOG_S", "0"),
        ("WATCHDOG_EXIT", "0.5"),
        ("WATCHDOG_EXIT", "inf"),
        ("WATCHDOG_EXIT", "nan"),
        ("WATCHDOG_S", "1e9"),
    ],
)
def test_a_watchdog_needs_seconds_that_it_can_keep(name: str, text: str) -> None:
    """Its range is in the line, and that 0 is never for the end."""
    with pytest.raises(InvalidSettings, match="expected seconds, a number from") as refused:
        load_settings({name: text})
    assert ("or 0 for never" in str(refused.value)) == (name == "WATCHDOG_EXIT")
