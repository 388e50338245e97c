"""All variables and the option are read before anything is said, so that one error names every wrong value."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import attrs

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.settings._texts import (
    broker_address,
    choice,
    existing_file,
    folder,
    host_alone,
    list_of_names,
    positive_seconds,
    printable,
    switch,
    whole_number,
    without_credentials,
)
from halloween_host.settings._values import BrokerSettings, Settings, Toggles
from halloween_host.settings._variables import VARIABLES

__all__ = ["load_settings"]

T = TypeVar("T")
BROKER_OPTION: Final = "--broker"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def load_settings(environ: Mapping[str, str], *, broker: str | None = None) -> Settings:
    """Read all `VARIABLES`; an empty one counts as not set. What `broker` (the option) says wins, the rest is the environment's.

    Raises:
        InvalidSettings: with one `SettingsError` for each value that we cannot use; a secret's value is never in it.
    """
    reader = _Reader(environ)
    settings = Settings(
        broker=_read_broker(reader, broker),
        builtins=_read_toggles(reader, "BUILTINS"),
        props=_read_toggles(reader, "PROPS"),
        start_timeout_s=reader.read("WORKER_START_TIMEOUT_S", positive_seconds, 30.0),
        stop_timeout_s=reader.read("WORKER_STOP_TIMEOUT_S", positive_seconds, 5.0),
        safe_timeout_s=reader.read("WORKER_SAFE_TIMEOUT_S", positive_seconds, 1.0),
        restart_limit=reader.read("WORKER_RESTART_LIMIT", whole_number(1, 1_000_000), 5),
        restart_window_s=reader.read("WORKER_RESTART_WINDOW_S", positive_seconds, 60.0),
        mailbox_capacity=reader.read("WORKER_MAILBOX_CAPACITY", whole_number(1, 1_000_000), 10_000),
        presence_max=reader.read("PRESENCE_MAX", whole_number(0, 1_000_000), 200),
        state_dir=reader.read("STATE_DIR", folder, Path("state")),
        log_level=reader.read("LOG_LEVEL", choice(_LEVELS, WARN="WARNING", FATAL="CRITICAL"), "INFO"),
        log_format=reader.read("LOG_FORMAT", choice(("console", "json")), "console"),
    )
    reader.warn_of_typos()
    if reader.problems:
        raise InvalidSettings(tuple(reader.problems))
    return attrs.evolve(settings, warnings=tuple(reader.warnings))


class _Reader:
    """Reads variables one by one and keeps what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[SettingsError] = []
        self.warnings: list[str] = []

    def read(self, name: str, convert: Callable[[str], T], default: T) -> T:
        text = self.environ.get(name, "").strip()
        return self.convert(name, text, convert, default) if text else default

    def text(self, *names: str) -> str | None:
        """The first that is set, as it is: white space may be part of a password."""
        return next((self.environ[name] for name in names if self.environ.get(name)), None)

    def convert(self, name: str, text: str, convert: Callable[[str], T], default: T) -> T:
        try:
            return convert(text)
        except ValueError as error:
            shown = without_credentials(text)
            self.problems.append(SettingsError(name, shown if len(shown) <= 80 else f"{shown[:80]}…", str(error)))
            return default

    def warn_of_typos(self) -> None:
        unset = [variable.name for variable in VARIABLES if not self.environ.get(variable.name)]
        for name in sorted(self.environ.keys() - {variable.name for variable in VARIABLES}):
            for near in difflib.get_close_matches(name, unset, n=1, cutoff=0.8):
                self.warnings.append(f"{name} is not read: no variable of ours; did you mean {near}?")


def _read_toggles(reader: _Reader, prefix: Literal["BUILTINS", "PROPS"]) -> Toggles:
    return Toggles(
        prefix,
        disable_all=reader.read(f"WORKER_DISABLE_ALL_{prefix}", switch, False),
        allow=reader.read(f"WORKER_{prefix}_ALLOW", list_of_names, None) or None,
        disable=reader.read(f"WORKER_{prefix}_DISABLE", list_of_names, ()),
    )


def _read_broker(reader: _Reader, option: str | None) -> BrokerSettings:
    """The environment's broker, what the option says put over it: nothing that the option leaves open is lost."""
    said: dict[str, Any] = {}
    if option is not None:
        said = reader.convert(BROKER_OPTION, option.strip(), broker_address, {})
    else:
        said = reader.read("MQTT_HOST", host_alone, {})
    settings = BrokerSettings(
        host=said.get("host"),
        port=said.get("port") or reader.read("MQTT_PORT", whole_number(1, 65_535), 1883),
        username=said.get("username") or reader.text("MQTT_USERNAME", "MQTT_WORKER_USER"),
        password=said.get("password") or reader.text("MQTT_PASSWORD", "MQTT_WORKER_PW"),
        client_id=reader.read("MQTT_CLIENT_ID", printable, None),
        tls=said.get("tls", reader.read("MQTT_TLS", switch, False)),
        ca_file=reader.read("MQTT_CA_FILE", existing_file, None),
        transport=said.get("transport", reader.read("MQTT_TRANSPORT", choice(("tcp", "websockets")), "tcp")),
        keepalive_s=reader.read("MQTT_KEEPALIVE", whole_number(1, 65_535), 10),
        protocol=reader.read("MQTT_PROTOCOL", choice(("auto", "5", "3.1.1")), "auto"),
        fast_path=reader.read("MQTT_FAST_PATH", switch, True),
        embedded_only=said.get("embedded_only", False),
    )
    if settings.password and not settings.username:  # MQTT 3.1.1, section 3.1.2.9: no password without a user name
        reader.warnings.append("a password for the broker is set but no user: not sent; set MQTT_USERNAME too")
        settings = attrs.evolve(settings, password=None)
    if settings.embedded and (settings.tls or settings.transport != "tcp"):
        reader.warnings.append(
            "MQTT_TLS and MQTT_TRANSPORT are not used: the embedded broker speaks plain TCP; set MQTT_HOST"
        )
        settings = attrs.evolve(settings, tls=False, transport="tcp")
    if settings.ca_file and not settings.tls:
        reader.warnings.append("MQTT_CA_FILE counts only with MQTT_TLS=1")
    return settings
