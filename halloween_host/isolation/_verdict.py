"""How an isolated worker comes through a panic: its process takes it, its `safe()` runs, and what becomes of it is said."""

from __future__ import annotations

import attrs

from halloween_host.flag import Flag
from halloween_host.supervisor import Safety

__all__ = ["Verdict"]


@attrs.define(eq=False)
class Verdict:
    """One panic's, open until `passed`. `taken` is set once the worker's tasks were cancelled; `retried`: by a second process."""

    reason: str
    taken: Flag = attrs.field(factory=Flag)
    through: Flag = attrs.field(factory=Flag)
    retried: bool = False
    safety: Safety = attrs.field(factory=Safety)

    @property
    def open(self) -> bool:
        return not self.through.is_set()

    def take(self) -> None:
        if not self.taken.is_set():
            self.taken.set()

    def passed(self, safety: Safety) -> None:
        """The first word counts."""
        if self.open:
            self.safety = safety
            self.take()
            self.through.set()
