"""All variables and the option are read before anything is said, so that one error names every wrong value."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import attrs

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.settings._password import exposure_of, read_password_file
from halloween_host.settings._texts import (
    broker_address,
    choice,
    existing_file,
    folder,
    host_alone,
    list_of_names,
    positive_seconds,
    printable,
    seconds,
    seconds_or_never,
    switch,
    whole_number,
    without_credentials,
)
from halloween_host.settings._values import BrokerSettings, Settings, Toggles
from halloween_host.settings._variables import FOREIGN, VARIABLES

__all__ = ["load_settings"]

T = TypeVar("T")
BROKER_OPTION: Final = "--broker"
_SECRET: Final = frozenset(variable.name for variable in VARIABLES if variable.secret)
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
        isolate=reader.read("WORKER_ISOLATE", list_of_names, ()),
        watchdog_s=reader.read("WATCHDOG_S", seconds(0.05, 86_400), 0.25),
        watchdog_exit_s=reader.read("WATCHDOG_EXIT", seconds_or_never(1, 86_400), 30.0),
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
            shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
            self.problems.append(SettingsError(name, None if name in _SECRET else shown, str(error)))
            return default

    def warn_of_typos(self) -> None:
        unset = [variable.name for variable in VARIABLES if not self.environ.get(variable.name)]
        for name in sorted(self.environ.keys() - {variable.name for variable in VARIABLES} - FOREIGN):
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
        password=_read_password(reader, said.get("password")),
        client_id=reader.read("MQTT_CLIENT_ID", printable, None),
        tls=said.get("tls", reader.read("MQTT_TLS", switch, False)),
        ca_file=reader.read("MQTT_CA_FILE", existing_file, None),
        cert_file=reader.read("MQTT_CERT_FILE", existing_file, None),
        key_file=reader.read("MQTT_KEY_FILE", existing_file, None),
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
    _check_certificate(reader, tls=settings.tls)
    return settings


def _read_password(reader: _Reader, from_option: str | None) -> str | None:
    """The option's, else the variable's, else the file's, else that of 2025's variable."""
    if from_option:
        fix = "put it into MQTT_PASSWORD_FILE"
        reader.warnings.append(f"every user of this machine reads the password of {BROKER_OPTION} with ps: {fix}")
        return from_option
    direct, file = reader.text("MQTT_PASSWORD"), reader.environ.get("MQTT_PASSWORD_FILE", "").strip()
    if direct and file:
        reader.problems.append(SettingsError("MQTT_PASSWORD_FILE", None, "MQTT_PASSWORD is set too: unset one of them"))
        return None
    if direct or not file:
        return direct or reader.text("MQTT_WORKER_PW")
    password = reader.read("MQTT_PASSWORD_FILE", read_password_file, None)
    if password is not None and (warning := exposure_of(file)):
        reader.warnings.append(warning)
    return password


def _check_certificate(reader: _Reader, *, tls: bool) -> None:
    """A certificate of our own needs its key, and TLS: without it we would be known by nothing."""
    names = ("MQTT_CERT_FILE", "MQTT_KEY_FILE")
    given = [name for name in names if reader.environ.get(name, "").strip()]
    missing = [name for name in names if name not in given]
    if given and missing:
        both = "a file that holds both is named twice"
        reader.problems.append(SettingsError(given[0], None, f"{missing[0]} is not set: it takes both; {both}"))
    elif given and not tls:
        reason = "counts only over TLS, with a broker of your own: set MQTT_TLS=1 and MQTT_HOST"
        reader.problems.append(SettingsError(given[0], None, reason))
