"""What the operator asks of an isolated worker, and what a panic does to it: orders to its process, and its end when it does not heed."""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs
import trio

from halloween_host.flag import Flag
from halloween_host.guard import PANIC_TAKEN_S
from halloween_host.isolation._launcher import Child
from halloween_host.isolation._verdict import Verdict
from halloween_host.loader import WorkerSpec
from halloween_host.reporter import Reporter
from halloween_host.states import Health, State
from halloween_host.supervisor import Phase, Reviews, Safety, Standing, Turns, panic_text
from halloween_host.worker import has_safe

__all__ = ["Steered"]

#: Seconds beyond `stop()`'s own until a process that was asked to end is killed: half a second is the worker's own grace.
KILL_AFTER_S: Final = 0.7
#: Seconds beyond `safe()`'s own until a process that took a panic is killed.
SAFE_GRACE_S: Final = 1.0


class Steered:
    """The part of an isolated worker that is steered; the processes are its heir's."""

    prop_id: str
    _spec: WorkerSpec
    _reporter: Reporter
    _reviews: Reviews
    _turns: Turns
    _standing: Standing
    _child: Child | None
    _linked: bool
    _told: Health | None
    _verdict: Verdict | None
    _resumes: bool
    _at_rest: Flag
    _wake: Flag

    @property
    def health(self) -> Health:
        return self._told or self._standing.health

    @property
    def state(self) -> State:
        return self.health.state

    def link_up(self) -> None:
        self._standing.link_up()
        self._tell_link(up=True)

    def link_down(self) -> None:
        self._standing.link_down()
        self._tell_link(up=False)

    def stop(self) -> None:
        """End the process in good order and leave it so, over a rearm too."""
        self._resumes = False
        if self._standing.phase is not Phase.PANIC:
            self._turns.unwant()
            self._rest("stopped by the operator")

    def start(self) -> None:
        """Start a worker that is stopped or waits for its restart; nothing happens to one that runs."""
        if self._standing.phase in (Phase.STOPPED, Phase.DOWN):
            self._standing.forgive()
            self._turns.want()
        elif self._child is not None and self._standing.phase is not Phase.PANIC:
            self._child.order("start")

    def restart(self) -> None:
        """End the process in good order and start another one at once, whatever it was."""
        if self._standing.phase is not Phase.PANIC:
            self._rest("restarted by the operator")
            self.start()

    def reload(self, spec: WorkerSpec) -> bool:
        """The files are others: a process that runs, or is about to, makes room for a new one; whether that starts now."""
        self._spec = spec
        runs = self._standing.phase not in (Phase.STOPPED, Phase.PANIC) or self._turns.wanted
        if runs:
            self._rest("reloaded by the operator")
            self.start()
        return runs

    async def settle(self, online: bool) -> str | None:
        """Wait until it is online, or its process has ended, its own time at most; None, or why it is not."""
        terms = self._spec.terms
        with trio.move_on_after(terms.start_timeout_s if online else terms.stop_timeout_s + 2 * KILL_AFTER_S):
            if not online:
                await self._at_rest.wait()
                return None
            while not self._available:
                standing = self._standing
                if standing.phase not in (Phase.STARTING, Phase.RUNNING) and not self._turns.wanted:
                    return standing.reason
                await standing.changed.wait()
            return None
        return f"not {'online' if online else 'stopped'} in time: {self.health.reason or self.state.value}"

    @property
    def _available(self) -> bool:
        return self._child is not None and not self._child.ending and self.state.available

    # -- panic

    def panic(self, reason: str) -> None:
        """At once: the process is told by its pipe. One that is none yet, or no more, is started to run its `safe()`."""
        if self._standing.phase is not Phase.PANIC:
            self._resumes = self._standing.phase is not Phase.STOPPED or self._turns.wanted
        self._turns.unwant()
        self._standing.turn(Phase.PANIC, panic_text(reason))
        self._verdict = Verdict(reason)
        if self._child is not None:
            self._child.order("panic", reason=reason)
        self._wake.set()

    def tell_panic(self) -> None:
        """Say what `panic` made of it: its availability, its health."""
        if self._standing.phase is Phase.PANIC:
            self._standing.enter(Phase.PANIC, self._standing.reason)

    async def make_safe(self) -> Safety:
        """After `panic`: have `safe()` run, and end a process that does not heed."""
        verdict, began = self._verdict, trio.current_time()
        assert verdict is not None
        child = self._child
        if child is not None and child.pid is not None:
            with trio.move_on_after(PANIC_TAKEN_S):
                await verdict.taken.wait()
            if not verdict.taken.is_set() and child is self._child:
                self._kill(child, f"has not taken the panic in {PANIC_TAKEN_S:g} s")
        with trio.move_on_after(self._spec.terms.start_timeout_s):
            await verdict.taken.wait()
            await self._bound_safe(verdict)
        if verdict.open:
            self._give_up(verdict, f"its process was not up in {self._spec.terms.start_timeout_s:g} s")
        safety = verdict.safety
        if safety.took_ms is not None:
            safety = attrs.evolve(safety, took_ms=round((trio.current_time() - began) * 1000))
        return safety

    async def _bound_safe(self, verdict: Verdict) -> None:
        """What makes itself safe may block its process."""
        with trio.move_on_after(self._spec.terms.safe_timeout_s + SAFE_GRACE_S):
            await verdict.through.wait()
        if verdict.open:
            self._give_up(verdict, f"safe() took longer than {self._spec.terms.safe_timeout_s:g} s")

    def _give_up(self, verdict: Verdict, why: str) -> None:
        verdict.passed(Safety(unsafe=f"{why}: its process was killed"))
        self._reporter.error(self.prop_id, f"not safe after a panic: {why}")
        if self._child is not None:
            self._kill(self._child, why)

    def rearm(self) -> list[str]:
        """The panic is over: a new process starts as soon as the old one has ended, which takes all that hangs along."""
        if self._standing.phase is not Phase.PANIC:
            return []
        resumes = self._resumes
        self._rest("rearmed" if resumes else "stopped before the panic was over")
        if resumes:
            self.start()
        return []

    # -- inside

    def _tell_link(self, *, up: bool) -> None:
        """While the host's own connection is lost, what the process's meets is no news."""
        self._linked = up
        if self._child is not None:
            self._child.order("link", up=up)

    def _owes_safe(self) -> bool:
        """Whether a process is to be started for `safe()` alone."""
        verdict = self._verdict
        if verdict is None or not verdict.open:
            return False
        if not has_safe(self._spec.worker_class):
            verdict.passed(Safety())
        return verdict.open

    def _after_panic(self, how: str) -> None:
        """The process ended in a panic. If its `safe()` is owed still, one more process tries."""
        verdict = self._verdict
        if verdict is not None and verdict.retried:
            self._judge_panic(how)
        elif verdict is not None:
            verdict.retried = True
        self._standing.enter(Phase.PANIC, self._standing.reason)

    def _judge_panic(self, how: str) -> None:
        """No process will run `safe()` any more."""
        if self._verdict is not None and self._verdict.open:
            owed = has_safe(self._spec.worker_class)
            self._verdict.passed(Safety(unsafe=f"safe() did not run: {how}" if owed else None))

    def _rest(self, reason: str) -> None:
        """The process that runs, if one does, shall end, for this reason."""
        self._standing.turn(Phase.STOPPED, reason)
        if self._child is None:
            self._standing.enter(Phase.STOPPED, reason)
        self._end_child(reason)

    def _end_child(self, reason: str) -> None:
        """It says the reason as its last word on its health."""
        child = self._child
        if child is None or child.ending:
            return
        child.ending = True
        child.order("end", reason=reason)
        after_s = self._spec.terms.stop_timeout_s + KILL_AFTER_S
        late = partial(self._kill, child, f"has not ended in {after_s:g} s")
        self._reviews.ask(trio.current_time() + after_s, late)

    def _kill(self, child: Child, why: str) -> None:
        if child is self._child:
            self._reporter.error(self.prop_id, f"{why}: its process is killed")
            child.kill()
