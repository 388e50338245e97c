"""The keeper says what becomes of the store's file: one line to the host's own topics, and each worker's health."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import structlog
import trio

from halloween_host import topics
from halloween_host.reporter import Reporter

__all__ = ["Keeper"]

_log: Final = structlog.stdlib.get_logger()


class Keeper:
    """The `Listener` of a host's stores. Make it inside Trio; `degrade` (prop id, reason or None) is called in its thread."""

    def __init__(self, reporter: Reporter, degrade: Callable[[str, str | None], None]) -> None:
        self._reporter = reporter
        self._degrade = degrade
        self._token = trio.lowlevel.current_trio_token()

    def failed(self, line: str) -> None:
        self._reporter.error(topics.HOST, line)

    def recovered(self, line: str) -> None:
        _log.info(line)

    def warned(self, line: str) -> None:
        self._reporter.warning(topics.HOST, line)

    def degraded(self, prop_ids: Iterable[str], reason: str | None) -> None:
        with suppress(trio.RunFinishedError):  # the host is over, and with it every health
            self._token.run_sync_soon(self._degrade_all, tuple(prop_ids), reason)

    def _degrade_all(self, prop_ids: Iterable[str], reason: str | None) -> None:
        for prop_id in prop_ids:
            self._degrade(prop_id, reason)
