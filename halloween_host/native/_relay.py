"""A relay starts handlers in their order, in as few tasks as it takes: one that never waits shares its task, one that waits has its own.

A task of Trio's with a cancel scope costs ten times what it takes to call a handler, and most handlers say something and
return. So a task takes one handler after another until one waits; then that one keeps the task, and others take over. Trio
starts the tasks of one batch in random order: each task takes the oldest handler, not one of its own.
"""

from __future__ import annotations

import math
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final

import trio

from halloween_host.native._running import Handling, Running
from halloween_host.worker import TURN

__all__ = ["Relay"]

#: Tasks that wait for the next handlers at most; a handler that waited leaves its task to them.
SPARE: Final = 32


class Relay:
    """`handle` makes the coroutine of a handler; each runs in a copy of `context`.

    While a handler waits it stands in `group`. Its `scope` is a cancel scope around it alone for as long as it runs.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        name: str,
        group: dict[Running, None],
        handle: Callable[[Handling], Coroutine[Any, Any, None]],
        context: Context,
    ) -> None:
        #: Handlers that have not begun, the oldest first.
        self.waiting: deque[Handling] = deque()
        self._nursery = nursery
        self._name = name
        self._group = group
        self._handle = handle
        self._context = context
        self._spare = trio.lowlevel.ParkingLot()
        self._coming = 0  # tasks that were called, each of which will take the oldest handler in its next step

    def start(self, running: Handling) -> None:
        """Start a handler after all that were started before; from whichever task."""
        self.waiting.append(running)
        if not self._coming:
            self._call(1)

    def _call(self, count: int) -> None:
        """Let so many tasks come: spare ones first."""
        if count > 0:
            self._coming += count
            for _ in range(count - len(self._spare.unpark(count=count))):
                self._context.run(self._start_task)

    def _start_task(self) -> None:
        self._nursery.start_soon(self._run, name=self._name)

    async def _run(self) -> None:
        """Take handlers until there are enough tasks that wait for one."""
        try:
            with trio.CancelScope() as scope:
                while True:
                    self._coming -= 1
                    await self._take_turns(scope)
                    if scope.cancel_called or len(self._spare) >= SPARE:
                        return
                    await self._spare.park()
        finally:
            if self.waiting and not self._coming:
                self._call(1)

    async def _take_turns(self, scope: trio.CancelScope) -> None:
        """Take the oldest handlers, one after another, `TURN` of them a step."""
        left = TURN
        while self.waiting:
            if not left:
                self._coming += 1
                await trio.lowlevel.cancel_shielded_checkpoint()
                self._coming -= 1
                left = TURN
                continue
            left -= 1
            running = self.waiting.popleft()
            running.scope = scope
            if running.timeout_s is not None:
                scope.deadline = trio.current_time() + running.timeout_s
            context = self._context.copy()
            coroutine = self._handle(running)
            try:
                message = context.run(coroutine.send, None)
            except StopIteration:
                waited = False
            else:
                waited = True
                await self._leave_to(running, coroutine, context, message)
            if (waited or running.asked) and scope.cancel_called:
                return
            if running.timeout_s is not None:
                scope.deadline = math.inf

    async def _leave_to(
        self, running: Handling, coroutine: Coroutine[Any, Any, None], context: Context, message: object
    ) -> None:
        """A handler waits, with `message` for Trio: this task is its own until it ends, and others take those behind it."""
        self._group[running] = None
        running.coroutine = coroutine
        self._call(len(self.waiting) - self._coming)
        task = trio.lowlevel.current_task()
        task.context, own = context, task.context
        try:
            await _resumed(coroutine, message)
        finally:
            task.context = own


@types.coroutine
def _resumed(coroutine: Coroutine[Any, Any, None], message: Any) -> Generator[Any, Any, None]:
    """Drive a coroutine that has yielded `message` to its end, as `await` would have from its beginning."""
    while True:
        resume: Callable[[Any], Any]
        try:
            given: Any = yield message
            resume = coroutine.send
        except BaseException as error:  # noqa: BLE001 the coroutine's, whatever it is
            given, resume = error, coroutine.throw
        try:
            message = resume(given)
        except StopIteration:
            return
