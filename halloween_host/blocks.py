"""Who blocked the event loop is told so on its topics: its health while it does, a warning and its health afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from halloween_host.guard import EVERYBODY, Culprit, Reach
from halloween_host.reporter import Reporter
from halloween_host.supervisor import Supervisor

__all__ = ["Blocks"]


class Blocks:
    """The `Blame` of a watchdog, and what a `StepWatch` tells. `named` is the watchdog's: who blocked in the step that ends."""

    def __init__(
        self,
        supervisors: Mapping[str, Supervisor],
        reporter: Reporter,
        named: Callable[[], Culprit | None],
        reach: Reach = EVERYBODY,
    ) -> None:
        self._supervisors = supervisors
        self._reporter = reporter
        self._named = named
        self._reach = reach

    def accuse(self, prop_id: str, reason: str) -> bytes | None:
        supervisor = self._supervisors.get(prop_id)
        return None if supervisor is None else supervisor.while_blocked(reason)

    def acquit(self, prop_id: str) -> None:
        self._supervisors[prop_id].say_health()

    def ended(self, prop_id: str | None, seconds: float) -> None:
        """A step of this worker's (None: the host's own) took so long; who was named in it was so for his code."""
        culprit = self._named()
        if culprit is not None and culprit.prop_id is not None:
            prop_id = culprit.prop_id
        if (supervisor := self._supervisors.get(prop_id or "")) is not None:
            supervisor.blocked(seconds, culprit.short if culprit is not None else "")
        elif culprit is not None:
            self._reporter.warning(self._reach.of(culprit), self._reach.own_code(culprit, seconds))
