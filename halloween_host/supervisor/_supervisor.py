"""A supervisor keeps one worker alive: a new instance after a crash, its end under a deadline, its stop when all must stop."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from halloween_host.errors import CommandError
from halloween_host.flag import PASSED, Flag
from halloween_host.outlet import Outlet
from halloween_host.supervisor._dispatcher import Dispatcher
from halloween_host.supervisor._ending import end_instance
from halloween_host.supervisor._outfits import Changing
from halloween_host.supervisor._refusals import Refusals
from halloween_host.supervisor._standing import ALIVE, Phase, Standing
from halloween_host.supervisor._steering import panic_text
from halloween_host.supervisor._terms import Subscriptions, Surroundings
from halloween_host.supervisor._turns import Turns
from halloween_host.terms import Terms
from halloween_host.worker import Arrival, Berth, Blueprint, Home, HomeFactory, Hooks, describe, place_of

__all__ = ["Supervisor"]

#: Characters of a crash that stand in `status/health`; `status/error` has them all.
REASON_CHARS: Final = 200

_log: Final = structlog.stdlib.get_logger()


class Supervisor(Changing):
    """Runs instances of one worker, one at a time; all calls come from Trio's thread. `hooks` are a worker's ways to the host."""

    def __init__(
        self,
        blueprint: Blueprint,
        open_home: HomeFactory,
        standing: Callable[[Dispatcher], Standing],
        surroundings: Surroundings,
        *,
        subscriptions: Subscriptions,
        terms: Terms,
        hooks: Hooks,
    ) -> None:
        self.prop_id = blueprint.prop_id
        #: Set once nothing more is waited for: the worker ended and said so, and what did not end was named.
        self.settled = Flag()
        #: What outlived its deadline, by name; the host leaves the process past it.
        self.left_behind: Sequence[str] = ()
        self._blueprint = blueprint
        self._dialect = blueprint.worker_class.dialect
        self._open_home = open_home
        self._outbox = surroundings.outbox
        self._reporter = surroundings.reporter
        self._reviews = surroundings.reviews
        self._warn = surroundings.warn
        self._subscriptions = subscriptions
        self._terms, self._hooks = terms, hooks
        self._turns = Turns(terms, surroundings.random)
        self._refusals = Refusals(self._outbox.now)
        self._dispatcher = Dispatcher(
            self.prop_id,
            blueprint.actions,
            capacity=terms.mailbox_capacity,
            clock=self._outbox.now,
            wall=surroundings.wall,
            post=surroundings.post,
            refused=self.refused,
            cooldowns=surroundings.cooldowns,
        )
        self._standing = standing(self._dispatcher)
        self._standing.born = self._be_born
        self._home: Home | None = None
        self._outlet: Outlet | None = None
        self._birth: trio.CancelScope | None = None
        self._ending: trio.CancelScope | None = None
        self._constructed = Flag()
        self._closed: str | None = None
        self._panicked = False
        #: Set unless a panic's safe() is owed.
        self._made_safe = PASSED
        self._resumes = True  # whether a rearm starts it
        self._at_rest = Flag()
        self._stopped_itself = False

    # -- what the host and the router call

    def deliver(self, arrival: Arrival) -> None:
        """A message for this worker; refused with one line when there is no instance that could take it, or too many wait."""
        closed = self._closed
        if self._standing.phase not in ALIVE:
            closed = f"the worker is offline: {self._standing.reason}"
        if self._outbox.echoes and self._outbox.is_echo(arrival.topic, arrival.payload, own=closed is None):
            return
        self._dispatcher.deliver(arrival, closed)
        self._standing.count_changed()

    def link_up(self) -> None:
        self._standing.link_up()

    def link_down(self) -> None:
        self._standing.link_down()

    def voice_changed(self) -> None:
        """The worker's presence came or went."""
        self._standing.review()

    def fall_silent(self) -> None:
        """The topics are another host's: this one says nothing any more."""
        self._standing.speaks = False

    # -- one instance after another

    async def run(self, latched: str | None = None) -> None:
        """Live until asked to stop. With `latched`, the reason of a panic, the worker is constructed and starts at `rearm`."""
        structlog.contextvars.bind_contextvars(worker=self.prop_id)
        if latched is not None:
            self._made_safe = Flag()
            self._standing.enter(Phase.PANIC, panic_text(latched))
        while not self._turns.over:
            await self._run_instance()
        self._settle()

    async def _run_instance(self) -> None:
        self._change()
        if self._standing.phase is not Phase.PANIC:
            self._standing.enter(Phase.STARTING)
        began = trio.current_time()
        self._stopped_itself = False
        self._panicked = self._standing.phase is Phase.PANIC
        self._constructed = Flag() if self._constructed.is_set() else self._constructed
        self._closed = None
        self._at_rest = Flag()
        self._turns.begin()
        self._birth = trio.CancelScope()
        outlet = self._outlet = Outlet(self.prop_id, self._outbox, self._warn)
        if self._panicked:
            outlet.restrict()
        berth = Berth(outlet, self._subscriptions.subscribe, self._hooks)
        self._subscriptions.reset()
        blueprint = attrs.evolve(self._blueprint, config=copy.deepcopy(self._blueprint.config))
        if blueprint.cargo is not None:
            self._blueprint = attrs.evolve(self._blueprint, cargo=None)  # it serves the first instance alone
        try:
            async with self._open_home(blueprint, berth, self) as home:
                self._home = home
                with self._birth:
                    await self._be_brought_up(home)
                self._birth = None  # a scope takes over half a kibibyte, and most instances run all night
                if self._standing.phase is Phase.RUNNING and not self._turns.over:
                    await self._dispatcher.serve(home)
                if self._standing.phase is not Phase.PANIC:
                    with trio.CancelScope(shield=True) as self._ending:
                        await self._end(home)
                        outlet.close()
                    self._ending = None
                await self._wait_for_turn(home, began)
                await self._made_safe.passed()  # also when the host stops meanwhile
                if self._panicked:
                    self.left_behind = ()  # a crash's; what hangs now is waited for as the home closes
                elif self._turns.over:
                    self._settle()
                    # the home closes when the host lets go: first goes out what all have said
                    await trio.sleep_forever()
                self._home = None
                if not self._turns.over:
                    # from here on a panic waits for the next instance: nothing runs in a home that closes
                    self._constructed = Flag()
        except OSError as error:  # no file descriptor left for a loop: this worker's crash, not the host's
            self._constructed.set()
            self.crashed("its event loop", error)
            await self._wait_for_turn(None, began)
        finally:
            outlet.close()
            self._dispatcher.close("the worker ended")

    async def _be_brought_up(self, home: Home) -> None:
        """Construct and start it; then it runs, unless its life ends."""
        slow = self._reviews.ask(trio.current_time() + self._terms.start_timeout_s, self._name_slow_start)
        try:
            with trio.CancelScope(shield=True):  # a panic must find an instance whose safe() it can run
                await home.construct()
            self._constructed.set()
            if self._standing.phase is Phase.PANIC:
                return
            await home.start()
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 the supervisor's border: start() is the author's
            self.crashed("start()" if home.constructed else "__init__()", error)
            return
        finally:
            self._constructed.set()
            self._reviews.withdraw(slow)
        if self._standing.phase is Phase.STARTING:  # else a panic, a crash or its own stop() came as start() returned
            self._standing.enter(Phase.RUNNING)

    def _be_born(self) -> None:
        """The broker has an `online`; if that is the last word, what was said before follows, and commands are taken."""
        if self._outlet is None or self._standing.said != "online":  # an instance that has gone said it
            return
        self._outlet.release()
        if self._standing.phase is Phase.RUNNING and not self._turns.over:
            self._keep()
            self._dispatcher.open()  # an answer before that would be held with the telemetry, the newest alone

    def _name_slow_start(self) -> None:
        text = f"start() has not returned in {self._terms.start_timeout_s:g} s"
        if not self._give_up_start(text):
            self._reporter.error(self.prop_id, f"{text}; the worker is not online, the others run on")

    async def _wait_for_turn(self, home: Home | None, began: float) -> None:
        """Until the next instance may start, with this one's home still open: a panic finds it there."""
        if self._standing.phase is Phase.DOWN and not (self._turns.over or self._turns.wanted):
            _log.info(f"restarts in {self._turns.plan(began):.1f} s")
        self._at_rest.set()
        # A guest loop can be left behind after a crash; after a panic, what hangs keeps its worker offline.
        if home is None or (self._dialect == "legacy" and not self._panicked):
            await self._turns.wait(list, trio.sleep_forever, self._say_waiting)
        else:
            await self._turns.wait(home.running, home.wait_ended, self._say_waiting)
        if self._standing.phase is Phase.DOWN and not self._turns.over:
            self._standing.restarted(self._standing.reason or "")

    def _say_waiting(self, text: str) -> None:
        self._standing.enter(self._standing.phase, text[:REASON_CHARS])

    async def _end(self, home: Home) -> None:
        crashed = self._standing.phase is Phase.DOWN
        self._closed = "the worker is stopping"
        if waiting := self._dispatcher.close("the worker crashed" if crashed else "the worker stopped"):
            self._reporter.warning(self.prop_id, f"{waiting:,} waiting commands were dropped at its end")
        self.left_behind = await end_instance(
            self.prop_id,
            self._dialect,
            home,
            self._terms,
            self._reporter,
            crashed=crashed,
            stopped_itself=self._stopped_itself,
        )
        if self._standing.phase in ALIVE:
            self._standing.enter(Phase.STOPPED, self._stopped_for)

    def _settle(self) -> None:
        self._standing.enter(Phase.STOPPED, self._stopped_for)
        self._let_go()
        self.settled.set()

    # -- Reports: what the home tells us

    def crashed(self, task: str, error: BaseException) -> None:
        where = place_of(error)
        text = f"{task} crashed: {describe(error, self._dialect)}{f' ({where})' if where else ''}"
        alive = self._standing.phase in ALIVE and not (self._stopped_itself or self._turns.over)
        if alive:
            self._standing.enter(Phase.DOWN, text[:REASON_CHARS])
            self._end_life()
        self._reporter.error(self.prop_id, text, error)
        if alive:
            self._change_back(text)

    def failed(self, action: str, error: Exception) -> None:
        self._reporter.error(self.prop_id, f"{action}: {describe(error, self._dialect)}", error)

    def refused(self, error: CommandError) -> None:
        if (line := self._refusals.line(str(error))) is not None:
            self._reporter.error(self.prop_id, line)

    def leaked(self, name: str) -> None:
        self._reporter.warning(self.prop_id, f"{name} was started past spawn() and still ran at the end: cancelled")

    def stopped_itself(self) -> None:
        self._stopped_itself = True
        if self._standing.phase in ALIVE and not self._turns.over:
            self._keep()
            _log.info("stopped itself, not restarted")
            self._standing.enter(Phase.STOPPED, "stopped itself")
        self._end_life()
