"""A command on its way through a worker that takes its messages raw: its handler starts when, and if, that worker asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from halloween_host.errors import CommandError
from halloween_host.supervisor._requests import Request
from halloween_host.worker import Ending

if TYPE_CHECKING:
    from halloween_host.supervisor._dispatcher import Dispatcher

__all__ = ["Raw"]


@attrs.frozen(eq=False)
class Raw:
    """The `Delivery` of a request to a worker that takes its messages raw."""

    dispatcher: Dispatcher
    request: Request

    def begin(self, over: Callable[[], None]) -> None:
        request = self.request
        if request.begun or request.over:  # handed on once more, or later: its sender was told already
            request, home = Request(attrs.evolve(request.arrival, response_topic=None)), request.home
            request.home, request.silent = home, True
        request.begun = True
        request.on_over = over
        try:
            self.dispatcher.admit(request)
        except CommandError:
            request.begun, request.on_over = False, None
            raise

    def refused(self, error: CommandError) -> None:
        self.dispatcher.refuse(self.request, error.reason)

    def delivered(self, ending: Ending, value: object, error: str | None, /) -> None:
        if not self.request.begun:
            self.dispatcher.end_as(self.request, ending, None, error, None)
