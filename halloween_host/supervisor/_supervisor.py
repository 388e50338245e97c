"""A supervisor keeps one worker alive: a new instance after a crash, its state told truly, its end under a deadline."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from halloween_host import topics
from halloween_host.backoff import RestartBudget
from halloween_host.commands import Command
from halloween_host.errors import CommandError
from halloween_host.mailbox import Mailbox
from halloween_host.outbox import Outbox, Outlet, Post
from halloween_host.reporter import Reporter
from halloween_host.states import State
from halloween_host.supervisor._refusals import Refusals
from halloween_host.supervisor._terms import Limits, Subscriptions
from halloween_host.worker import Arrival, Berth, Blueprint, Home, HomeFactory, describe, place_of

__all__ = ["Supervisor"]

#: Commands taken from the mailbox before other workers get their turn.
BATCH: Final = 100
#: What is left after `stop()` and its deadline gets this long to end before it is named and left behind.
CLOSE_GRACE_S: Final = 0.5

_log: Final = structlog.stdlib.get_logger()


class Supervisor:
    """Runs instances of one worker, one at a time. `online_allowed` tells whether the broker took our `cmd` subscription."""

    def __init__(
        self,
        blueprint: Blueprint,
        open_home: HomeFactory,
        *,
        outbox: Outbox,
        reporter: Reporter,
        online_allowed: Callable[[], bool],
        subscriptions: Subscriptions,
        limits: Limits,
    ) -> None:
        self.prop_id = blueprint.prop_id
        self.state = State.STARTING
        self.restarts = 0
        #: Set once nothing more is waited for: the worker ended, or what did not end was named.
        self.settled = trio.Event()
        #: What outlived its deadline, by name; the host leaves the process past it.
        self.left_behind: list[str] = []
        self._blueprint = blueprint
        self._dialect = blueprint.worker_class.dialect
        self._open_home = open_home
        self._outbox = outbox
        self._reporter = reporter
        self._online_allowed = online_allowed
        self._subscriptions = subscriptions
        self._limits = limits
        self._budget = RestartBudget(limit=limits.restart_limit, window_s=limits.restart_window_s)
        self._mailbox: Mailbox[Arrival] | None = Mailbox(limits.mailbox_capacity)  # of the current or coming instance
        self._outlet: Outlet | None = None
        self._life = trio.CancelScope()
        self._online_out = trio.Event()
        self._crashed = False
        self._started = False
        self._stopped_itself = False
        self._stop_asked = trio.Event()
        self._refusals = Refusals(outbox.now)
        self._refused = 0
        self._refusal_said_at = -math.inf

    # -- what the host and the router call, plainly, from Trio's thread

    def deliver(self, arrival: Arrival) -> None:
        """A message for this worker; refused with one line when there is no instance that could take it, or too many wait."""
        action = arrival.command.action if isinstance(arrival.command, Command) else None
        if arrival.command is None and self._mailbox is None:
            return  # of a subscription: news of somebody else's, for nobody now
        if self._mailbox is None or self.state in (State.OFFLINE, State.STOPPED):
            self.refused(CommandError(f"refused, the worker is {self.state.value}", action=action))
        elif not self._mailbox.put(arrival):
            self._refuse_full(action)

    def link_up(self) -> None:
        """The broker took our subscription: say anew what this worker is."""
        if self._started and not self._crashed and self.state in (State.STARTING, State.ONLINE):
            self._go_online()
        else:
            self._say_availability("offline")

    def ask_to_stop(self) -> None:
        """End the worker in good order; `settled` is set when that is over."""
        self._stop_asked.set()
        self._life.cancel()

    async def run(self) -> None:
        """Live until asked to stop, or until the worker stopped itself."""
        structlog.contextvars.bind_contextvars(worker=self.prop_id)
        attempt = -1
        while not self._stop_asked.is_set():
            began = trio.current_time()
            await self._run_instance()
            if not self._crashed or self._stop_asked.is_set():
                break
            now = trio.current_time()
            attempt = 0 if now - began > self._limits.restart_window_s else attempt + 1
            delay_s = self._budget.delay(attempt, now)
            self.restarts += 1
            _log.info(f"restarts in {delay_s:.1f} s")
            with trio.move_on_after(delay_s):
                await self._stop_asked.wait()
        self.state = State.STOPPED
        self.settled.set()

    # -- Reports: what the home tells us

    def crashed(self, task: str, error: BaseException) -> None:
        where = place_of(error)
        place = f" ({where})" if where else ""
        text = f"{task} crashed: {describe(error, self._dialect)}{place}"
        if not (self._crashed or self._stopped_itself or self._stop_asked.is_set()):
            self._crashed = True
            self._go_offline()
            self._life.cancel()
        self._reporter.error(self.prop_id, text, error)

    def failed(self, action: str, error: Exception) -> None:
        self._reporter.error(self.prop_id, f"{action}: {describe(error, self._dialect)}", error)

    def refused(self, error: CommandError) -> None:
        if (line := self._refusals.line(str(error))) is not None:
            self._reporter.error(self.prop_id, line)

    def leaked(self, name: str) -> None:
        self._reporter.warning(self.prop_id, f"{name} was started past spawn() and still ran at the end: cancelled")

    def stopped_itself(self) -> None:
        self._stopped_itself = True
        _log.info("stopped itself, not restarted")
        self._go_offline()
        self._life.cancel()

    # -- one instance

    async def _run_instance(self) -> None:
        self.state = State.STARTING
        self._crashed = self._started = self._stopped_itself = False
        self._online_out = trio.Event()
        self._life = trio.CancelScope()
        if self._stop_asked.is_set():
            self._life.cancel()
        if self._mailbox is None:
            self._mailbox = Mailbox(self._limits.mailbox_capacity)
        outlet = self._outlet = Outlet(self.prop_id, self._outbox, self._reporter.warning)
        berth = Berth(outlet, self._subscriptions.subscribe)
        self._subscriptions.reset()
        blueprint = attrs.evolve(self._blueprint, config=copy.deepcopy(self._blueprint.config))
        self._blueprint = attrs.evolve(self._blueprint, cargo=None)  # it serves the first instance alone
        try:
            async with self._open_home(blueprint, berth, self) as home:
                with self._life:
                    await self._live(home, self._mailbox)
                await self._end(home)
                outlet.close()
        except OSError as error:  # no file descriptor left for a loop: this worker's crash, not the host's
            self.crashed("its event loop", error)
        finally:
            outlet.close()
            self._close_mailbox()

    async def _live(self, home: Home, mailbox: Mailbox[Arrival]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._name_slow_start)
            try:
                await home.construct()
                await home.start()
            except trio.Cancelled:
                raise
            except BaseException as error:  # noqa: BLE001 the supervisor's border: start() is the author's
                self.crashed("start()" if home.constructed else "__init__()", error)
                return
            finally:
                nursery.cancel_scope.cancel()
        self._started = True
        if self._online_allowed():
            self._go_online()
        await self._online_out.wait()  # an answer before that would be held with the telemetry, the newest alone
        while True:
            for arrival in await mailbox.take(BATCH):
                self._hand_over(home, arrival)
            await trio.lowlevel.checkpoint()

    def _hand_over(self, home: Home, arrival: Arrival) -> None:
        command = arrival.command
        try:
            if command is None or home.wants_arrivals:
                home.deliver(arrival)
            elif isinstance(command, Command):
                home.run(command)
            else:
                raise command
        except CommandError as error:
            self.refused(error)
        except BaseException as error:  # noqa: BLE001 the handler's border: looking it up runs the author's code (`__getattr__`)
            action = command.action if isinstance(command, Command) else "on_message"
            self.failed(action, error) if isinstance(error, Exception) else self.crashed(action, error)

    async def _name_slow_start(self) -> None:
        await trio.sleep(self._limits.start_timeout_s)
        waited = f"{self._limits.start_timeout_s:g} s"
        self._reporter.error(
            self.prop_id, f"start() has not returned in {waited}; the worker is not online, the others run on"
        )

    async def _end(self, home: Home) -> None:
        """Handlers first, then `stop()` with the spawned tasks alive, then what is left: all under one deadline, however it ends."""
        self._close_mailbox()
        with trio.CancelScope(shield=True):
            timeout_s = self._limits.stop_timeout_s
            deadline = trio.current_time() + timeout_s
            # A handler that refuses to end must not take stop()'s time; one that called stop() itself goes on.
            share_s = timeout_s if self._stopped_itself else timeout_s / 5
            with trio.move_on_after(share_s):
                await home.cancel_handlers()
            if self._crashed:
                with trio.move_on_after(share_s):
                    await home.cancel_spawned()
            if home.constructed and not self._stopped_itself:
                await self._call_stop(home, deadline)
            with trio.move_on_after(CLOSE_GRACE_S):
                await home.close()
            self.left_behind = home.running()
            if self.left_behind:
                self._reporter.error(self.prop_id, f"refuses to end, left behind: {'; '.join(self.left_behind)}")
            if not self._crashed:
                self._go_offline()
        if self.left_behind and self._stop_asked.is_set():
            self.settled.set()

    async def _call_stop(self, home: Home, deadline: float) -> None:
        try:
            with trio.CancelScope(deadline=deadline) as scope:
                await home.stop()
        except Exception as error:  # noqa: BLE001 the supervisor's border: stop() is the author's
            self._reporter.error(self.prop_id, f"stop(): {describe(error, self._dialect)}", error)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 likewise, SystemExit and KeyboardInterrupt
            self._reporter.error(self.prop_id, f"stop(): {describe(error, self._dialect)}", error)
        if scope.cancelled_caught:
            seconds = f"{self._limits.stop_timeout_s:g} s"
            self._reporter.error(self.prop_id, f"stop() has not returned in {seconds} and was cancelled")

    # -- what the world is told

    def _go_online(self) -> None:
        outlet = self._outlet
        assert outlet is not None
        if self.state is not State.ONLINE:
            _log.info("online", worker=self.prop_id)
        self.state = State.ONLINE
        online_out = self._online_out

        def out() -> None:
            outlet.release()
            online_out.set()

        self._say_availability("online", out)

    def _go_offline(self) -> None:
        if self.state is not State.OFFLINE:
            self.state = State.OFFLINE
            self._say_availability("offline")

    def _say_availability(self, word: str, out: Callable[[], None] | None = None) -> None:
        topic, now = topics.availability(self.prop_id), self._outbox.now()
        self._outbox.post(Post(self.prop_id, topic, word.encode(), "availability", 1, True, now, out))

    def _refuse_full(self, action: str | None) -> None:
        self._refused += 1
        now = trio.current_time()
        if now - self._refusal_said_at >= 1.0:  # a flood must not flood the log too
            self._refusal_said_at = now
            waiting = f"{self._limits.mailbox_capacity:,} commands wait"
            self.refused(
                CommandError(f"refused, the mailbox is full ({waiting}); {self._refused:,} so far", action=action)
            )

    def _close_mailbox(self) -> None:
        mailbox, self._mailbox = self._mailbox, None
        if mailbox:
            self._reporter.warning(self.prop_id, f"{len(mailbox):,} waiting commands were dropped at its end")
