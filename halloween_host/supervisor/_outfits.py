"""What a worker's instances are made from can be changed between two of them, and back when the new code does not start."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from halloween_host.supervisor._standing import ALIVE, Phase
from halloween_host.supervisor._steering import Steering
from halloween_host.terms import Terms
from halloween_host.worker import Blueprint, HomeFactory

__all__ = ["Changing", "Outfit", "Trial"]


@attrs.frozen(eq=False)
class Outfit:
    """Code and config of a worker, and the terms it runs under.

    `put_on` is called between two instances, when it is this one's turn; `let_go` when its turn never comes.
    """

    blueprint: Blueprint
    open_home: HomeFactory
    terms: Terms
    put_on: Callable[[], None]
    let_go: Callable[[], None] = lambda: None


@attrs.define(eq=False)
class Trial:
    """New code until it has started; `before` runs again when it does not. `failure` says why, once it did not."""

    before: Outfit
    over: bool = False
    failure: str | None = None


class Changing(Steering):
    """The part of a supervisor that changes what its instances are made from."""

    _open_home: HomeFactory
    _next: Outfit | None = None
    _trial: Trial | None = None

    @property
    def wanted(self) -> bool:
        """Whether its next instance starts as soon as the last one has ended."""
        return self._turns.wanted

    def reload(self, outfit: Outfit, put_back: Callable[[], None]) -> Trial:
        """Let the next instance be of `outfit`, and of what there was before when it does not start. `put_back` goes with that.

        A worker that runs, or waits for its restart, ends and starts at once; one that is stopped, or in a panic, stays so.
        """
        if self._trial is not None:
            before = self._trial.before
        else:  # what is next without a trial is what was before one that failed
            before = self._next or Outfit(self._blueprint, self._open_home, self._terms, put_back)
        if self._next is not None and self._next is not before:
            self._next.let_go()
        self._next, self._trial = outfit, Trial(before)
        if self._standing.phase in (*ALIVE, Phase.DOWN):
            self._end_and_start("reloaded by the operator")
        return self._trial

    async def tried(self, trial: Trial) -> None:
        """Wait until `trial` is over, or cannot go on because the worker is stopped or in a panic."""
        while not trial.over and (self._standing.phase in ALIVE or self._turns.wanted):
            await self._standing.changed.wait()

    def _change(self) -> None:
        """Between two instances: from here on it is the next outfit, if there is one."""
        if self._next is None:  # and the supervisors that are never reloaded share the keys of their attributes
            return
        outfit, self._next = self._next, None
        self._blueprint, self._open_home, self._terms = outfit.blueprint, outfit.open_home, outfit.terms
        self._dialect = self._standing.dialect = outfit.blueprint.worker_class.dialect
        self._turns.change(outfit.terms)
        self._dispatcher.change(outfit.blueprint.actions, outfit.terms.mailbox_capacity)
        outfit.put_on()

    def _keep(self) -> None:
        """The new code has started: the old one is not needed any more."""
        if self._trial is not None and self._next is None:
            self._trial.over, self._trial = True, None
            self._standing.tell()

    def _give_up_start(self, why: str) -> bool:
        """The instance takes too long to start; whether it ends now, because it was on trial."""
        if self._trial is None or self._standing.phase is not Phase.STARTING:
            return False
        self._standing.enter(Phase.DOWN, why)
        self._end_life()
        self._change_back(why)
        return True

    def _change_back(self, why: str) -> None:
        """The instance has not started: if it was on trial, the next one is of what there was before."""
        if self._trial is None or self._next is not None:
            return
        trial, self._trial = self._trial, None
        trial.over, trial.failure = True, why
        self._next = trial.before
        self._reporter.error(self.prop_id, f"the new code does not run: {why}; the old code starts again")
        self._turns.want()
        self._standing.tell()

    def _let_go(self) -> None:
        """The worker has ended for good."""
        if self._next is not None:
            self._next.let_go()
            self._next = None
