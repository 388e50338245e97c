"""A command that comes alone is handled, where its handler cannot wait, in the very step that reads it.

A task that is woken for it would come a turn of the loop later: a look for events and forty calls of Trio's, every one of them
with cold caches, are a quarter of what a lone command takes. In a flood all that is shared, and other tasks must get turns.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Express"]


class Bell(Protocol):
    """`due` when something was said in this step that is not sent yet."""

    due: bool


class Express:
    """Shared by who routes commands and who starts handlers, in Trio's thread."""

    def __init__(self, bell: Bell) -> None:
        #: Whether the command that is being routed is the last that was read.
        self.last = False
        #: Whose handler ran in the step that runs now, which is another task's.
        self.worker: str | None = None
        self._bell = bell

    @property
    def open(self) -> bool:
        """Whether a handler may run now; what was said before, as that its command is accepted, shall not wait for its end."""
        return self.last and not self._bell.due
