"""One task a worker hands over the commands that had to wait; it sleeps while none does, as most do all night."""

from __future__ import annotations

from collections import deque

import trio

from halloween_host.supervisor._requests import Request
from halloween_host.worker import TURN, Home

__all__ = ["Serving"]


class Serving:
    """The part of a dispatcher that serves a home; what waits, and how it is handed over, is its heir's."""

    _waiting: deque[Request]

    def __init__(self) -> None:
        self._served: Home | None = None
        self._home: Home | None = None  # the same, once `open`: what need not wait is handed over to it at once
        self._server: trio.lowlevel.Task | None = None  # while it sleeps in `serve`

    async def serve(self, home: Home) -> None:
        """From `open` on start the handlers of what waits in `home`, and let `deliver` start those that need not; until `hold`."""
        self._served = home
        try:
            while self._served is home:
                if self._waiting and self._home is not None:
                    for _ in range(min(TURN, len(self._waiting))):
                        self._hand_over(home, self._waiting.popleft())
                    await trio.lowlevel.checkpoint()
                else:  # without a `Flag`, whose coroutine would stay as long
                    self._server = trio.lowlevel.current_task()
                    await trio.lowlevel.wait_task_rescheduled(self._forget_server)
        finally:
            self.hold()

    def open(self) -> None:
        """Who is served takes commands from now on."""
        self._home = self._served
        self._wake_server()

    def hold(self) -> None:
        """What comes from here on waits, and `serve` returns."""
        self._home = self._served = None
        self._wake_server()

    def _hand_over(self, home: Home, request: Request) -> None:
        raise NotImplementedError

    def _wake_server(self) -> None:
        if self._server is not None:
            trio.lowlevel.reschedule(self._server)
            self._server = None

    def _forget_server(self, _raise: object) -> trio.lowlevel.Abort:
        self._server = None
        return trio.lowlevel.Abort.SUCCEEDED
