"""One lane an action: its mode and its cool-down decide when a request's handler starts, or why it does not."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

from halloween_host.errors import CommandError
from halloween_host.supervisor._requests import Request
from halloween_host.worker import Action

__all__ = ["STOP", "Cooldowns", "Lane", "Starter", "lanes"]

#: The action that must always get through.
STOP: Final = "stop"
#: Seconds by which a cool-down may miss its end in floating point.
_TINY_S: Final = 1e-6

#: The queue of all lanes that never have one: an empty deque takes more than half a kibibyte.
_NONE: Final[deque[Request]] = deque()


class Starter(Protocol):
    """What a lane asks of its dispatcher."""

    def now(self) -> float:
        """Monotonic seconds."""

    def start(self, request: Request, lane: Lane) -> None:
        """Start its handler; `Lane.ended` follows.

        Raises:
            CommandError: when it is too old by now, there is no such action or the argument does not fit.
        """

    def refuse(self, request: Request, reason: str) -> None:
        """It does not start."""

    def cancel(self, request: Request, reason: str) -> None:
        """Ask its handler to end; one that has not started has ended."""


class Cooldowns(Protocol):
    """What remembers, over the host's end, when a prop's cool-downs began."""

    def begin(self, action: str) -> None:
        """One begins now."""

    def forget(self, action: str) -> None:
        """The last one is none."""

    def remaining_s(self, action: str, cooldown_s: float) -> float:
        """What is left of the last one, at most `cooldown_s`; 0 when there is none."""


class Lane:
    """The requests for one action. The cool-down outlives the worker's instances, all else is forgotten by `clear`.

    With `cooldowns`, which is called for an action that has one, it outlives the host too.
    """

    # Few lanes have them, and there is a lane for each action of each worker.
    _cooldowns: Cooldowns | None = None
    _name = ""

    def __init__(
        self, starter: Starter, action: Action | None, cooldowns: Callable[[], Cooldowns | None] = lambda: None
    ) -> None:
        free = action is None or action.name == STOP
        #: Whether it is of several actions, and of any that has no handler.
        self.shared = action is None
        self.timeout_s = None if action is None else action.timeout_s
        self._mode = "parallel" if action is None or free else action.mode
        self._cooldown_s = None if action is None or free else action.cooldown_s
        #: Whether each request starts at once: then nothing need be told to, or remembered by, this lane.
        self.plain = self._mode == "parallel" and self._cooldown_s is None
        self._starter = starter
        self._running: dict[Request, None] = {}
        self._queue: deque[Request] = _NONE if self.plain else deque()
        self._accepted_at = -math.inf
        self._cooled_by: Request | None = None
        self._advances = False
        if action is not None and self._cooldown_s is not None and (kept := cooldowns()) is not None:
            self._name, self._cooldowns = action.name, kept
            self._accepted_at = starter.now() - self._cooldown_s + kept.remaining_s(action.name, self._cooldown_s)

    def admit(self, request: Request) -> None:
        """Start its handler now or in its turn, or refuse it.

        Raises:
            CommandError: as `Starter.start`.
        """
        if self._cools(request):
            return
        if self._mode == "parallel" or not (self._running or self._queue):
            self._begin(request)
        elif self._mode == "drop":
            self._starter.refuse(request, "refused, it runs already")
        elif self._mode == "queue":
            self._queue.append(request)
        else:
            older = [*self._queue, *self._running]
            self._queue.clear()
            self._queue.append(request)
            for each in older:
                self._starter.cancel(each, "a newer command took its place")

    def ended(self, request: Request) -> None:
        """The handler of a request has ended: whoever waits for that is next."""
        self._running.pop(request, None)
        if self._cooled_by is request:
            self._cooled_by = None
            if request.run is not None and request.run.stale:
                self._cool_no_more()
        if self._advances:
            return  # a handler that ended as it started; the loop below goes on
        self._advances = True
        try:
            while self._queue and not self._running:
                self._take(self._queue.popleft())
        finally:
            self._advances = False

    def after(self, lane: Lane | None) -> Lane:
        """Itself, its cool-down going on where that of `lane` stood, whose place it takes."""
        if lane is not None:
            self._accepted_at = max(self._accepted_at, lane._accepted_at)
        return self

    def clear(self) -> list[Request]:
        """Forget all requests; those that had not started."""
        waiting = list(self._queue)
        self._queue.clear()
        self._running.clear()
        self._cooled_by = None
        return waiting

    def _take(self, request: Request) -> None:
        if self._cools(request):
            return
        try:
            self._begin(request)
        except CommandError as error:
            self._starter.refuse(request, error.reason)

    def _begin(self, request: Request) -> None:
        before, self._accepted_at = self._accepted_at, self._starter.now()
        self._running[request] = None
        try:
            self._starter.start(request, self)
        except CommandError:
            self._running.pop(request, None)
            self._accepted_at = before
            raise
        if self._cooldown_s is not None and request in self._running:
            self._cooled_by = request
        if self._cooldowns is not None:
            self._cooldowns.begin(self._name)

    def _cool_no_more(self) -> None:
        """What was accepted last came to its first line too late, and nothing was done."""
        self._accepted_at = -math.inf
        if self._cooldowns is not None:
            self._cooldowns.forget(self._name)

    def _cools(self, request: Request) -> bool:
        if self._cooldown_s is None:
            return False
        wait_s = self._accepted_at + self._cooldown_s - self._starter.now()
        if wait_s <= _TINY_S:
            return False
        tenths = math.ceil(wait_s * 10 - 10 * _TINY_S)
        self._starter.refuse(request, f"refused, it cools down; accepted again in {tenths / 10:.1f} s")
        return True


#: The one of all actions of all workers that ask for nothing: it starts each request at once, remembers none, asks no starter.
_PLAIN: Final = Lane(cast(Starter, None), None)


def lanes(
    starter: Starter,
    actions: Mapping[str, Action],
    before: Mapping[str, Lane],
    cooldowns: Callable[[], Cooldowns | None],
) -> tuple[dict[str, Lane], Lane]:
    """Lanes by action, in the place of those `before`, and the one for all other actions, those without a handler included."""
    made = {}
    for name, action in actions.items():
        lane, old = Lane(starter, action, cooldowns), before.get(name)
        if old is not None and old.shared:
            old = None
        made[name] = _PLAIN if lane.plain and lane.timeout_s is None and old is None else lane.after(old)
    other = made.get("command", _PLAIN)  # do_command takes what nobody else does
    return {name: lane for name, lane in made.items() if lane is not other or name == "command"}, other
