"""The guard's lines go to the log by a thread of their own: a log that hangs (a pager on a pipe) must not hold the guard."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Literal

import structlog

__all__ = ["Level", "Trouble", "Words"]

#: Seconds of trouble before it is said: a broker that merely restarts is the host's own connection's news.
SAY_AFTER_S: Final = 5.0
#: The same trouble is said again after this many seconds.
REPEAT_S: Final = 60.0

Level = Literal["info", "warning", "error"]

_log: Final = structlog.stdlib.get_logger()


class Words:
    """`say` may be called from any thread and never waits."""

    def __init__(self) -> None:
        self._lines: SimpleQueue[tuple[Level, str, dict[str, str]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="guard log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def say(self, level: Level, text: str, worker: str | None = None) -> None:
        self._lines.put((level, text, {} if worker is None else {"worker": worker}))

    def close(self, timeout_s: float = 0.2) -> None:
        """Return when all is said, after `timeout_s` at the latest."""
        self._lines.put(None)
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            level, text, facts = line
            getattr(_log, level)(text, **facts)


class Trouble:
    """Says what is wrong once it lasts, then once a minute at most, and once that it is over. For one thread.

    While `elsewhere` is true it is somebody else's trouble too, and his to say.
    """

    def __init__(
        self,
        say: Callable[[Level, str], None],
        *,
        after_s: float = SAY_AFTER_S,
        elsewhere: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._elsewhere = elsewhere
        self._after_s = after_s
        self._clock = clock
        self._since = math.inf
        self._said_at = -math.inf
        self._said = False

    def tell(self, text: str) -> None:
        """It is so now."""
        if self._elsewhere():
            self._since = math.inf
            return
        now = self._clock()
        self._since = min(self._since, now)
        if now - self._since >= self._after_s and now - self._said_at >= REPEAT_S:
            self._said, self._said_at = True, now
            self._say("warning", text)

    def over(self, text: str) -> None:
        """It is no more; `text` is said only to who was told of it."""
        self._since = math.inf
        if self._said:
            self._said = False
            self._say("info", text)
