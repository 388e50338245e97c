"""A guest loop that counts its turns."""

from __future__ import annotations

from halloween_host.legacy._loop import GuestLoop

__all__ = ["Counted"]


class Counted(GuestLoop):
    turns = 0

    def turn(self) -> BaseException | None:
        self.turns += 1
        return super().turn()
