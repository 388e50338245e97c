"""The dispatcher takes a worker's commands, starts their handlers in order, and tells each sender what became of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from halloween_host import topics
from halloween_host.acks import Outcome
from halloween_host.commands import Command, remaining_s
from halloween_host.errors import CommandError
from halloween_host.outbox import Post
from halloween_host.supervisor._answers import Answers
from halloween_host.supervisor._lanes import STOP, Cooldowns, Lane, lanes
from halloween_host.supervisor._raw import Raw
from halloween_host.supervisor._replies import Address, address_of
from halloween_host.supervisor._requests import Request
from halloween_host.supervisor._serving import Serving
from halloween_host.worker import Action, Arrival, Ending, Home

__all__ = ["Dispatcher"]

#: Commands `stop` that a full mailbox still takes.
STOPS_BEYOND: Final = 100
#: Seconds between two lines about a full mailbox.
FULL_EVERY_S: Final = 1.0

#: The mailbox of those who never had to keep a command waiting: an empty deque takes more than half a kibibyte.
_NONE: Final[deque[Request]] = deque()


class Dispatcher(Serving):
    """At most `capacity` commands of a worker wait and run; beyond it the newest is refused.

    All calls come from Trio's thread. `clock` returns monotonic seconds, `wall` Unix seconds; `post` takes the acks, `refused`
    is told each refusal, and each handler that took too long, to be said on `status/error`.
    """

    def __init__(
        self,
        prop_id: str,
        actions: Mapping[str, Action],
        *,
        capacity: int,
        clock: Callable[[], float],
        wall: Callable[[], float],
        post: Callable[[Post], None],
        refused: Callable[[CommandError], None],
        cooldowns: Callable[[str], Cooldowns | None] = lambda prop_id: None,
    ) -> None:
        super().__init__()
        #: Commands refused since the host started.
        self.refused_count = 0
        self._prop_id = prop_id
        self._clock = clock
        self._wall = wall
        self._refused = refused
        self._waiting: deque[Request] = _NONE
        self._running: dict[Request, None] = {}
        self._held = 0
        self._full_count = 0
        self._full_said_at = -math.inf
        self._answers = Answers(prop_id, clock, post)
        self._cooldowns = cooldowns
        self._lanes: dict[str, Lane] = {}
        self.change(actions, capacity)

    @property
    def load(self) -> float:
        """The share of the capacity that waits and runs."""
        return self._held / self._capacity

    def now(self) -> float:
        return self._clock()

    def change(self, actions: Mapping[str, Action], capacity: int) -> None:
        """Go by these from now on; between two instances, when nothing waits or runs. Cool-downs go on."""
        self._capacity = capacity
        self._lanes, self._other = lanes(self, actions, self._lanes, partial(self._cooldowns, self._prop_id))

    def deliver(self, arrival: Arrival, closed: str | None) -> None:
        """Take it or refuse it; `closed` is why nothing is taken now. A message of a subscription is then news for nobody."""
        command = arrival.command
        request = Request(arrival)
        if command is None:
            if closed is None:
                self._put(request)
            return
        if (command.id is not None or arrival.response_topic is not None) and not self._note_sender(request):
            return
        if arrival.retain:  # it would fire the prop again at every reconnect
            fix = f"delete it: mosquitto_pub -t {arrival.topic} -r -n"
            self.refuse(request, f"a retained command was refused; {fix}")
            return
        if command.id is not None:
            if self._answers.again(request):
                return
            if isinstance(command, Command):
                self._answers.remember(request)
        if closed is not None:
            self.refuse(request, f"refused, {closed}")
            return
        if isinstance(command, Command) and (command.ttl is not None or command.ts is not None):
            try:
                left_s = remaining_s(command, self._wall())
            except CommandError as error:
                self.refuse(request, error.reason)
                return
            if left_s is not None:
                request.expires_at = self._clock() + left_s
        self._put(request)

    def close(self, reason: str) -> int:
        """All that waits and runs has ended as cancelled for `reason`; how many had not started.

        A handler that stops its own worker goes on, and ends as it ends, or at the second `close`.
        """
        waiting = [request for lane in (*self._lanes.values(), self._other) for request in lane.clear()]
        waiting += self._waiting
        self._waiting.clear()
        handed_over = [request for request in self._running if request.run is not None and not request.run.begun]
        for request in handed_over:
            request.began_at = None
        for request in (*self._running, *waiting):
            if request.run is not None and request.run.stopper and request.cancelled_for is None:
                request.cancelled_for = reason
            else:
                self._end(request, "cancelled", error=reason)
        return len(handed_over) + len(waiting)

    # -- Starter: what the lanes ask

    def start(self, request: Request, lane: Lane) -> None:
        command, home = request.command, request.home
        assert isinstance(command, Command)
        assert home is not None
        if request.expires_at is not None:
            request.check_age(self._clock())
        if request.addresses:
            request.began_at = self._clock()
        self._running[request] = None
        try:
            request.starts(home.run(command, partial(self._ended, request, lane), lane.timeout_s), self._clock)
        except CommandError:
            request.began_at = None
            self._running.pop(request, None)
            raise

    def refuse(self, request: Request, reason: str) -> None:
        self.refused_count += 1
        self._refused(CommandError(reason, action=request.action))
        self._end(request, "refused", error=reason.removeprefix("refused, "))

    def cancel(self, request: Request, reason: str) -> None:
        request.cancelled_for = reason
        if request.run is None:
            self._end(request, "cancelled", error=reason)
        else:
            request.run.cancel()

    # -- Raw: what a worker that takes its messages raw asks

    def admit(self, request: Request) -> None:
        """Start its handler as its action's mode wants it.

        Raises:
            CommandError: when it is no command, there is no such action or the argument does not fit.
        """
        if isinstance(request.command, Command):
            lane = self._lanes.get(request.command.action, self._other)
            if lane.plain:
                self.start(request, lane)
            else:
                lane.admit(request)
        elif request.command is not None:
            raise request.command

    def end_as(
        self, request: Request, ending: Ending, value: object, error: str | None, timeout_s: float | None
    ) -> None:
        """What was run for it has ended; `timeout_s` is what it was given."""
        if request.over:
            return  # closed meanwhile
        if ending == "timeout":
            error = f"took longer than {timeout_s or 0:g} s"
            self._refused(CommandError(error, action=request.action))
            ending = "failed"
        elif ending == "cancelled" and request.run is not None and request.run.stale:
            self.refuse(request, request.too_late(self._clock()))
        elif ending == "cancelled":
            error = request.cancelled_for
        self._end(request, ending, value, error)

    # -- inside

    def _note_sender(self, request: Request) -> bool:
        """Note where its sender looks for acks, or refuse it: whether it may look there."""
        try:
            request.answer_to(address_of(self._prop_id, request.arrival, request.id))
        except CommandError as error:
            if request.id is not None:
                request.answer_to(Address(topics.ack(self._prop_id)))
            self.refuse(request, error.reason)
            return False
        return True

    def _put(self, request: Request) -> None:
        """Into the mailbox, and out of it at once when nothing is ahead of it."""
        if self._held >= self._capacity and self._refuse_beyond(request):
            return
        self._held += 1
        request.held = True
        if request.addresses and isinstance(request.command, Command):
            self._answers.accepted(request)
        home = self._home
        if home is not None and not self._waiting and home.prompt:
            self._hand_over(home, request)
        else:
            if self._waiting is _NONE:
                self._waiting = deque()
            self._waiting.append(request)
            self._wake_server()

    def _refuse_beyond(self, request: Request) -> bool:
        """Refuse what the mailbox cannot hold, with a line a second at most."""
        beyond = STOPS_BEYOND if request.action == STOP else 0
        if self._held < self._capacity + beyond:
            return False
        self._full_count += 1
        reason = f"the mailbox is full ({self._shown()}); {self._full_count:,} so far"
        now = self._clock()
        if now - self._full_said_at >= FULL_EVERY_S:
            self._full_said_at = now
            self.refuse(request, f"refused, {reason}")
        else:
            self.refused_count += 1
            self._end(request, "refused", error=reason)
        return True

    def _shown(self) -> str:
        waiting, running = self._held - len(self._running), len(self._running)
        waits = "1 command waits" if waiting == 1 else f"{waiting:,} commands wait"
        return f"{waits}, {running:,} run{'s' * (running == 1)}" if running else waits

    def _hand_over(self, home: Home, request: Request) -> None:
        request.home = home
        if request.command is None:
            self._end(request, "done")
            home.deliver(request.arrival)
            return
        try:
            if home.wants_arrivals:
                request.check_age(self._clock())
                request.began_at = self._clock()
                self._running[request] = None
                home.deliver(request.arrival, Raw(self, request))
            else:
                self.admit(request)
        except CommandError as error:
            self.refuse(request, error.reason)

    def _ended(self, request: Request, lane: Lane, ending: Ending, value: object, error: str | None) -> None:
        """The handler of a request has ended."""
        self.end_as(request, ending, value, error, lane.timeout_s)
        if not lane.plain:
            lane.ended(request)

    def _end(self, request: Request, outcome: Outcome, value: object = None, error: str | None = None) -> None:
        if request.over:
            return
        request.over = True
        self._held -= request.held
        self._running.pop(request, None)
        if request.addresses:
            self._answers.ended(request, outcome, value, error)
        if request.on_over is not None:
            request.on_over()
