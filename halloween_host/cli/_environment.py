"""Environment and options become settings here, once; from here on the environment is a mapping handed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import attrs

from halloween_host.settings import BrokerSettings, Settings, load_settings
from halloween_host.tls import tls_of

__all__ = ["address_of", "reachable", "read_environment", "read_settings"]

#: Where the embedded broker is reached.
_EMBEDDED_HOST: Final = "127.0.0.1"


def read_environment() -> Mapping[str, str]:
    """The process's environment as it is now."""
    return dict(os.environ)


def read_settings(environ: Mapping[str, str], *, broker: str | None = None) -> Settings:
    """The settings; `broker` is the option's value.

    Raises:
        InvalidSettings: with every wrong variable and option, the files of certificates and keys included.
    """
    settings = load_settings(environ, broker=broker)
    tls_of(settings.broker)  # before anything is started
    return settings


def reachable(broker: BrokerSettings) -> BrokerSettings:
    """The broker as a client finds it: an embedded one is where the host has it."""
    return attrs.evolve(broker, host=broker.host or _EMBEDDED_HOST)


def address_of(broker: BrokerSettings) -> str:
    """``127.0.0.1:1883``."""
    return f"{broker.host or _EMBEDDED_HOST}:{broker.port}"
