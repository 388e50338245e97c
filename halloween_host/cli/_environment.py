"""Environment and options become settings here, once; from here on the environment is a mapping handed down."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Final

import attrs

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.settings import BrokerSettings, Settings, load_settings

__all__ = ["address_of", "reachable", "read_environment", "read_settings", "tls_of"]

#: Where the embedded broker is reached.
_EMBEDDED_HOST: Final = "127.0.0.1"


def read_environment() -> Mapping[str, str]:
    """The process's environment as it is now."""
    return dict(os.environ)


def read_settings(environ: Mapping[str, str], *, broker: str | None = None) -> Settings:
    """The settings; `broker` is the option's value.

    Raises:
        InvalidSettings: with every wrong variable and option, the file of certificates included.
    """
    settings = load_settings(environ, broker=broker)
    try:
        tls_of(settings.broker)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = f"expected certificates (PEM): {getattr(error, 'reason', None) or error}"
        problem = SettingsError("MQTT_CA_FILE", str(settings.broker.ca_file), reason)
        raise InvalidSettings((problem,)) from None
    return settings


def tls_of(broker: BrokerSettings) -> ssl.SSLContext | None:
    """How the broker's certificate is checked, None without TLS."""
    return ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None


def reachable(broker: BrokerSettings) -> BrokerSettings:
    """The broker as a client finds it: an embedded one is where the host has it."""
    return attrs.evolve(broker, host=broker.host or _EMBEDDED_HOST)


def address_of(broker: BrokerSettings) -> str:
    """``127.0.0.1:1883``."""
    return f"{broker.host or _EMBEDDED_HOST}:{broker.port}"
