"""`check` and `list` load what `run` would load, in the same way, and run none of it."""

from __future__ import annotations

import structlog

from halloween_host.cli._environment import read_environment, read_settings
from halloween_host.cli._options import BuiltinsOption, PropsOption
from halloween_host.cli._places import find_places
from halloween_host.errors import LoadError
from halloween_host.host import discard, load
from halloween_host.loader import Catalog
from halloween_host.logs import capture_prints, capture_strays, configure_logging
from halloween_host.worker import shown_path

__all__ = ["load_catalog", "place_and_reason"]

_log = structlog.stdlib.get_logger()


def load_catalog(props: PropsOption, builtins: BuiltinsOption) -> Catalog:
    """Import every worker (inside Trio, which asyncio workers need for it); what they print is logged, on stderr.

    Raises:
        InvalidSettings: for wrong variables, or a folder that was given and is none.
    """
    environ = read_environment()
    settings = read_settings(environ)
    places = find_places(props, builtins)
    configure_logging(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        _log.warning(warning)
    with capture_prints(), capture_strays():
        catalog = load(places, settings, environ)
        discard(catalog)
    return catalog


def place_and_reason(error: LoadError) -> str:
    """``props/fogger/backend/config.yaml:3:7: …``, as editors and terminals follow it."""
    place = ":".join(str(part) for part in (shown_path(error.path), error.line, error.column) if part is not None)
    return f"{place}: {error.reason}"
