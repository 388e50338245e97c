"""The transcript: all that the stage's broker saw and all that was logged, in time order, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

from halloween_host import topics
from halloween_host.logs import escape
from halloween_host.testing._packets import BrokerEvent

__all__ = ["Transcript"]

#: Lines kept; of a longer show the oldest go, and their number is said.
KEPT: Final = 100_000
#: Lines shown when something fails.
SHOWN: Final = 60
#: Characters of a payload or a log line.
CHARS: Final = 200


class Transcript:
    """`now` returns the seconds since the show began; `replace` (from, to) keeps paths that differ from run to run out of it."""

    def __init__(self, now: Callable[[], float], replace: tuple[str, str] | None = None) -> None:
        self._now = now
        self._replace = replace
        self._lines: list[str] = []
        self._dropped = 0

    def __str__(self) -> str:
        """Everything, a line each: seconds since the show began, what happened."""
        return "\n".join((*self._head(self._dropped), *self._lines, ""))

    def tail(self) -> str:
        """The last lines, for a failing test."""
        hidden = self._dropped + max(0, len(self._lines) - SHOWN)
        return "\n".join(("the transcript:", *self._head(hidden), *self._lines[-SHOWN:]))

    def note(self, text: str) -> None:
        """Add a line."""
        if self._replace is not None:
            text = text.replace(*self._replace)
        shown = escape(" ".join(text.split()))
        self._lines.append(f"{self._now():12.3f}  {shown if len(shown) <= CHARS else f'{shown[:CHARS]}…'}")
        if len(self._lines) > KEPT:
            half = KEPT // 2
            self._dropped += half
            del self._lines[:half]

    def hear(self, event: BrokerEvent) -> None:
        """An observer of the broker."""
        who = event.identifier or "somebody"
        if event.kind in ("publish", "will"):
            topic = event.topic.removeprefix(f"{topics.PREFIX}/")
            marks = " (retained)" * event.retain + " (will)" * (event.kind == "will")
            self.note(f"{topic} {event.payload.decode(errors='backslashreplace')}{marks}")
        elif event.kind in ("subscribe", "unsubscribe"):
            self.note(f"-- {who} {event.kind}s {event.text}")
        elif event.kind in ("up", "down"):
            self.note(f"-- the broker is {event.kind} {event.text}".rstrip())
        else:
            self.note(f"-- {who}: {event.kind} {event.text}".rstrip())

    @contextmanager
    def logging(self) -> Iterator[None]:
        """While open, log lines stand here and nowhere else."""
        configured = structlog.get_config()
        merge = structlog.contextvars.merge_contextvars
        structlog.configure(processors=[merge, self._take], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**configured)

    def _take(self, logger: object, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        error = event.get("exc_info")
        tail = f" [{type(error).__name__}]" if isinstance(error, BaseException) else ""
        who = f"{event['worker']}: " if event.get("worker") else ""
        self.note(f"   {level}: {who}{event.get('event')}{tail}")
        raise structlog.DropEvent

    def _head(self, hidden: int) -> list[str]:
        return [f"… {hidden:,} lines before"] if hidden else []
