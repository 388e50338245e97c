"""The fogger: `start [seconds]` blows fog, `stop` ends it at once. A native worker with checked settings."""

from __future__ import annotations

import anyio
import attrs
from attrs import validators

from halloween_host import BaseWorker


@attrs.frozen
class FoggerConfig:
    """What config.yaml may say. A key that does not stand here, or a wrong value, is an error with its line."""

    burst_s: float = attrs.field(default=3.0, validator=validators.gt(0))
    longest_s: float = attrs.field(default=15.0, validator=validators.gt(0))


class Worker(BaseWorker[FoggerConfig]):
    async def start(self) -> None:
        await super().start()
        self._burst = anyio.CancelScope()
        self._show(False)

    async def stop(self) -> None:
        self._show(False)
        await super().stop()

    async def safe(self) -> None:
        """In a panic, and after a crash: no fog."""
        self._show(False)

    async def do_start(self, seconds: float | None) -> None:
        """Blow fog for so many seconds; a start while it blows begins anew."""
        self._burst.cancel()
        wanted = self.settings.burst_s if seconds is None else seconds
        with anyio.CancelScope() as burst:
            self._burst = burst
            try:
                self._show(True)
                await anyio.sleep(min(wanted, self.settings.longest_s))
            finally:
                if self._burst is burst:  # no newer start blows on
                    self._show(False)

    async def do_stop(self) -> None:
        """End the fog at once; works while a `start` still waits."""
        self._burst.cancel()

    def _show(self, blowing: bool) -> None:
        self.telemetry("fog", blowing, retain=True)
