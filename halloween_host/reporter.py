"""What goes wrong is said in one line in two places: the log, and `status/error` or `status/warn` of whom it concerns."""

from __future__ import annotations

from typing import Final, Literal

import structlog

from halloween_host import topics
from halloween_host.outbox import Outbox, Post

__all__ = ["Reporter", "encode_line"]

#: A line on a topic is cut here: it is read on a phone.
LINE_CHARS: Final = 1_000

_log: Final = structlog.stdlib.get_logger()


class Reporter:
    """Callable from any thread. `prop_id` is `topics.HOST` for what concerns the host itself."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def error(self, prop_id: str, text: str, error: BaseException | None = None) -> None:
        """Say an error; its traceback goes to the log alone."""
        _log.error(text, worker=prop_id, exc_info=error)
        self.say(prop_id, "error", text)

    def warning(self, prop_id: str, text: str) -> None:
        """Say a warning."""
        _log.warning(text, worker=prop_id)
        self.say(prop_id, "warn", text)

    def say(self, prop_id: str, key: Literal["error", "warn"], text: str) -> None:
        """Say a line on the topic alone."""
        payload = encode_line(text)
        self._outbox.post(Post(prop_id, topics.status(prop_id, key), payload, "line", 1, False, self._outbox.now()))


def encode_line(text: str) -> bytes:
    """The payload of a `status/error` or `status/warn`: one line that is not too long."""
    line = " ".join(text.split())
    if len(line) > LINE_CHARS:
        line = f"{line[: LINE_CHARS - 1]}…"
    return line.encode(errors="backslashreplace")
