"""Whom a blocked event loop keeps: all workers of the host, or, in a process of its own, nobody but the worker itself."""

from __future__ import annotations

from typing import Final

import attrs

from halloween_host import topics
from halloween_host.guard._culprits import Culprit

__all__ = ["EVERYBODY", "Reach"]


@attrs.frozen
class Reach:
    """`alone`: the one worker of this process; None: it is the host's."""

    alone: str | None = None

    def charge(self, culprit: Culprit) -> str:
        """What is said of who blocks now."""
        if self.alone is not None:
            who = "" if culprit.prop_id is not None else "the host's own code "
            return f"{who}blocks its process {culprit.where}"
        if culprit.prop_id is None:
            return f"the host itself blocks all workers {culprit.where}"
        return f"blocks the host and all other workers {culprit.where}"

    def reason(self, culprit: Culprit) -> str:
        """The same for its health."""
        return f"blocks {'its process' if self.alone is not None else 'the event loop'} {culprit.where}"

    def own_code(self, culprit: Culprit, seconds: float) -> str:
        """What is said afterwards of code that is no worker's."""
        if self.alone is not None:
            return f"the host's own code blocked its process for {seconds:.1f} s {culprit.short}"
        return f"the host itself blocked all workers for {seconds:.1f} s {culprit.short}"

    def of(self, culprit: Culprit) -> str:
        """On whose topics that is said."""
        return culprit.prop_id or self.alone or topics.HOST

    @property
    def whole(self) -> str:
        """What ends itself when the loop stays blocked."""
        return "its process" if self.alone is not None else "the host"


EVERYBODY: Final = Reach()
