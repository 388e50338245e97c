"""Every command that talks to the broker begins alike: settings read, the log set up, warnings said."""

from __future__ import annotations

from typing import Final

import structlog

from halloween_host.cli._environment import read_environment, read_settings
from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.logs import configure_logging
from halloween_host.settings import Settings

__all__ = ["check_seconds", "prepare"]

#: No wait of ours lasts longer than an hour.
MOST_S: Final = 3600.0

_log: Final = structlog.stdlib.get_logger()


def prepare(broker: str | None = None) -> Settings:
    """The settings of this environment; `broker` is the option's value.

    Raises:
        InvalidSettings: with every wrong variable and option.
    """
    settings = read_settings(read_environment(), broker=broker)
    configure_logging(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        _log.warning(warning)
    return settings


def check_seconds(option: str, seconds: float) -> float:
    """Return `seconds` if somebody can wait as long.

    Raises:
        InvalidSettings: for zero, less, more than an hour, and NaN.
    """
    if not 0 < seconds <= MOST_S:
        reason = f"expected seconds, above 0 and up to {MOST_S:g}"
        raise InvalidSettings((SettingsError(option, f"{seconds:g}", reason),))
    return seconds
