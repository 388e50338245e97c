"""The coffin jumper: on `trigger` it fogs the coffin, waits for the fog, and throws the lid open. A coordinator of other props."""

from __future__ import annotations

import anyio
import attrs

from halloween_host import BaseWorker


@attrs.frozen
class CoffinConfig:
    fogger: str = "fogger"
    fog_s: float = 2.0
    suspense_s: float = 1.5
    open_s: float = 4.0


class Worker(BaseWorker[CoffinConfig]):
    async def start(self) -> None:
        await super().start()
        self._jumping = False
        self._jumps = 0

    async def safe(self) -> None:
        """In a panic, and after a crash: the lid down."""
        self.telemetry("lid", "closed")

    async def do_trigger(self, guest: str | None) -> None:
        """One scare; a second trigger during a scare is told so and does nothing."""
        if self._jumping:
            self.telemetry("trigger", "busy")
            return
        self._jumping = True
        try:
            self.telemetry("trigger", guest or "somebody")
            self.command(self.settings.fogger, "start", self.settings.fog_s)
            await anyio.sleep(self.settings.suspense_s)
            self.telemetry("lid", "open")
            await anyio.sleep(self.settings.open_s)
        finally:
            self.telemetry("lid", "closed")
            self._jumping = False
        self._jumps += 1
        self.telemetry("jumps", self._jumps)
