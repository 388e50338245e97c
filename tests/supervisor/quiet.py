"""A worker that does nothing but answer."""

from __future__ import annotations

from halloween_host import BaseWorker


class Quiet(BaseWorker):
    async def do_ping(self, arg: str | None) -> None:
        self.telemetry("pong", arg or "ok")
