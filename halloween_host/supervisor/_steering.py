"""What the operator asks of a worker, and what a panic does to it: plain calls on the one who runs its instances."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from halloween_host.flag import Flag
from halloween_host.outlet import Outlet
from halloween_host.reporter import Reporter
from halloween_host.states import Health, State
from halloween_host.supervisor._dispatcher import Dispatcher
from halloween_host.supervisor._ending import CLOSE_GRACE_S
from halloween_host.supervisor._safety import Safety, make_safe
from halloween_host.supervisor._standing import ALIVE, Phase, Standing
from halloween_host.supervisor._turns import Turns
from halloween_host.terms import Terms
from halloween_host.worker import Blueprint, Home, has_safe

__all__ = ["Steering", "panic_text"]


def panic_text(reason: str) -> str:
    """Why a worker is offline in a panic."""
    return f"panic: {reason}" if reason else "panic"


class Steering:
    """The part of a supervisor that is steered; the instances are its heir's."""

    prop_id: str
    left_behind: Sequence[str]
    _stopped_for = "the host stopped"
    _blueprint: Blueprint
    _dialect: str
    _terms: Terms
    _reporter: Reporter
    _turns: Turns
    _standing: Standing
    _dispatcher: Dispatcher
    _home: Home | None
    _outlet: Outlet | None
    _birth: trio.CancelScope | None  # around what brings an instance up, while it does
    _ending: trio.CancelScope | None  # around its end
    _constructed: Flag
    _at_rest: Flag
    _panicked: bool
    _made_safe: Flag
    _resumes: bool

    @property
    def health(self) -> Health:
        return self._standing.health

    @property
    def state(self) -> State:
        return self._standing.state

    @property
    def said(self) -> str | None:
        """See `witness.Subject`."""
        return self._standing.said

    def repeat(self) -> None:
        self._standing.repeat()

    @property
    def stop_timeout_s(self) -> float:
        return self._terms.stop_timeout_s

    @property
    def refused_count(self) -> int:
        return self._dispatcher.refused_count

    def blocked(self, seconds: float, where: str = "") -> None:
        """A step of this worker took `seconds`, in its code at `where`, if that is known; meanwhile nobody else ran."""
        how = f"{seconds:.1f} s{f' {where}' if where else ''}"
        self._standing.blocked(how)
        fix = "await anyio.sleep() and async calls, or write a plain `def` handler, which runs in a thread"
        if self._dialect == "legacy":
            fix = "await asyncio.sleep() and async calls, or asyncio.to_thread()"
        whom = "its process" if self._standing.isolated else "the host and all other workers"
        self._reporter.warning(self.prop_id, f"blocked {whom} for {how}: {fix}")

    def while_blocked(self, reason: str) -> bytes | None:
        """See `Standing.while_blocked`. From any thread."""
        return self._standing.while_blocked(reason)

    def say_health(self) -> None:
        self._standing.say_health()

    def follow(self, restarts: int, crashed: str | None) -> None:
        """Other processes of this worker went before, with so many restarts; the last one may have crashed for this reason."""
        self._standing.restarts = restarts
        if crashed is not None:
            self._standing.restarts -= 1
            self._standing.restarted(crashed)

    def degrade(self, reason: str | None) -> None:
        """Something of the host's that this worker needs does not work, for this reason; None: it does again."""
        self._standing.degrade(reason)

    def ask_to_stop(self, why: str | None = None) -> None:
        """End the worker for good, in good order; `settled` is set when that is over. Its home stays open until `run` is cancelled.

        `why` is what its health gives as the reason, if it is not that the host stopped.
        """
        if why is not None:
            self._stopped_for = why
        self._turns.end()
        self._end_life()

    def _end_life(self) -> None:
        """The instance shall end: it is brought up no further, and its commands are served no more."""
        if self._birth is not None:
            self._birth.cancel()
        self._dispatcher.hold()

    # -- what the operator asks

    def stop(self) -> None:
        """Stop the worker in good order and leave it stopped, over a rearm too."""
        self._resumes = False
        if self._standing.phase is not Phase.PANIC:
            self._turns.unwant()
            self._standing.enter(Phase.STOPPED, "stopped by the operator")
            self._end_life()

    def start(self) -> None:
        """Start a worker that is stopped or waits for its restart; nothing happens to one that runs."""
        if self._standing.phase in (Phase.STOPPED, Phase.DOWN):
            self._standing.forgive()
            self._turns.want()

    async def settle(self, online: bool) -> str | None:
        """Wait until it is online, or stopped and through its `stop()`, its own time at most; None, or why it is not."""
        terms = self._terms
        with trio.move_on_after(terms.start_timeout_s if online else terms.stop_timeout_s + 2 * CLOSE_GRACE_S):
            if not online:
                await self._at_rest.wait()
                return f"left behind: {'; '.join(self.left_behind)}" if self.left_behind else None
            while not self._standing.state.available:
                standing = self._standing
                if standing.phase not in ALIVE and not self._turns.wanted:
                    return standing.reason
                await standing.changed.wait()
            return None
        return f"not {'online' if online else 'stopped'} in time: {self._standing.reason or self._standing.state.value}"

    def restart(self) -> None:
        """Stop the worker in good order and start it at once, whatever it was."""
        if self._standing.phase is not Phase.PANIC:
            self._end_and_start("restarted by the operator")

    def _end_and_start(self, why: str) -> None:
        if self._standing.phase in ALIVE:
            self._standing.enter(Phase.STOPPED, why)
            self._end_life()
        self.start()

    # -- panic

    def panic(self, reason: str) -> None:
        """At once: nothing more is taken, every task is cancelled, what is said from here on does not leave. See `tell_panic`."""
        if self._standing.phase is not Phase.PANIC:
            self._resumes = self._standing.phase is not Phase.STOPPED or self._turns.wanted
        self._panicked = True
        if self._made_safe.is_set():
            self._made_safe = Flag()
        self._turns.unwant()  # the instance that there is stays until it is rearmed: its safe() is owed
        self._standing.turn(Phase.PANIC, text := panic_text(reason))
        self._dispatcher.close(text)
        if self._outlet is not None:
            self._outlet.restrict()
        self._end_life()
        if self._ending is not None:
            self._ending.cancel()
        if self._home is not None and self._constructed.is_set():
            self._home.abort()

    def tell_panic(self) -> None:
        """Say what `panic` made of it: its availability, its health, a line."""
        if self._standing.phase is Phase.PANIC:
            self._standing.enter(Phase.PANIC, self._standing.reason)

    async def make_safe(self) -> Safety:
        """After `panic`: run `safe()` on the last instance, and judge what did not end."""
        try:
            return await self._make_safe()
        finally:
            self._made_safe.set()

    async def _make_safe(self) -> Safety:
        with trio.move_on_after(self._terms.start_timeout_s):
            await self._constructed.wait()
        home = self._home
        if home is None or not home.constructed:
            owed = has_safe(self._blueprint.worker_class)
            why = "it has ended" if self._turns.over else "__init__() failed"
            return Safety(unsafe=f"safe() has no instance to run on: {why}" if owed else None)
        safety = await make_safe(home, self._terms.safe_timeout_s, self._dialect)
        if self._outlet is not None:
            self._outlet.seal()
        if safety.unsafe:
            self._reporter.error(self.prop_id, f"not safe after a panic: {safety.unsafe}")
        return safety

    def rearm(self) -> list[str]:
        """The panic is over: a new instance starts, as soon as all of the old one has ended; what has not is named."""
        if self._standing.phase is not Phase.PANIC:
            return []
        if not self._resumes:
            self._standing.enter(Phase.STOPPED, "stopped before the panic was over")
            return []
        self._standing.enter(Phase.STOPPED, "rearmed")
        self._standing.forgive()
        self._turns.want()
        return self._home.running() if self._home is not None else []
